import { VolumeError } from '../base/volume-error.js';

/** How long the undoing of a failed call may take, whatever became of the caller's signal. */
export const UNDO_MS = 120_000;

/** What a call did to the host, so that a failure can take it back: the last deed first. */
export class UndoLog {
  readonly #steps: (() => Promise<void>)[] = [];

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  /**
   * Takes everything back, past failures, and gives the error to throw: the first one, with what could not be undone beside it.
   */
  async after(first: unknown): Promise<unknown> {
    const failures: unknown[] = [];
    for (const step of this.#steps.toReversed()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 0) return first;
    return new VolumeError('CLEANUP_INCOMPLETE', 'Cannot undo a failed connect in full', { cause: new AggregateError([first, ...failures]) });
  }
}
