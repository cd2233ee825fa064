import { VolumeError } from '../base/volume-error.js';

/** How long the undoing of a failed call may take, whatever became of the caller's signal. */
export const UNDO_MS = 120_000;

/** What a call did to the host, so that a failure can take it back: the last deed first. */
export class UndoLog {
  readonly #steps: (() => Promise<void>)[] = [];

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  /** A deed that is taken back after all others. */
  addFirst(step: () => Promise<void>): void {
    this.#steps.unshift(step);
  }

  /** Takes over what another log holds, as later deeds than its own. */
  adopt(other: UndoLog): void {
    this.#steps.push(...other.#steps.splice(0));
  }

  /** Takes everything back, past failures. @returns what could not be undone */
  async run(): Promise<readonly unknown[]> {
    const failures: unknown[] = [];
    for (const step of this.#steps.splice(0).toReversed()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }

  /** Takes everything back and gives the error to throw: the first one, with what could not be undone beside it. */
  async after(first: unknown): Promise<unknown> {
    const failures = await this.run();
    return failures.length === 0
      ? first
      : new VolumeError('CLEANUP_INCOMPLETE', 'Cannot undo a failed connect in full', {
          cause: new AggregateError([first, ...failures]),
        });
  }
}
