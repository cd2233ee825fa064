import { onAbort, throwIfAborted } from '../../src/base/aborted.js';
import { VolumeError } from '../../src/base/volume-error.js';
import type { Locks } from '../../src/host/locks.js';

/** Locks of one process: who comes first goes first. */
export class FakeLocks implements Locks {
  /** How many were taken: each of the real ones is one process. */
  taken = 0;
  readonly #queue = new Map<string, Promise<unknown>>();
  readonly #held = new Map<string, AbortController>();

  async hold<Result>(
    keys: readonly string[],
    signal: AbortSignal,
    body: (held: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const [key, ...rest] = [...new Set(keys)].toSorted();
    if (key === undefined) return await body(signal);
    const turn = (this.#queue.get(key) ?? Promise.resolve()).then(async () => {
      throwIfAborted(signal);
      this.taken += 1;
      return await this.#under(key, signal, async (held) => await this.hold(rest, held, body));
    });
    this.#queue.set(
      key,
      turn.catch(() => undefined),
    );
    return await turn;
  }

  /**
   * The lock is taken from the body that has it, as when its helper gets SIGKILL.
   * @returns whether somebody had it
   */
  lose(key: string): boolean {
    const holder = this.#held.get(key);
    holder?.abort(new VolumeError('LOCK_LOST', `Stopped as the lock of ${key} was taken away`, { details: { key } }));
    return holder !== undefined;
  }

  async #under<Result>(
    key: string,
    signal: AbortSignal,
    body: (held: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const held = new AbortController();
    const off = onAbort(signal, () => {
      held.abort(signal.reason);
    });
    this.#held.set(key, held);
    try {
      return await body(held.signal);
    } finally {
      off();
      this.#held.delete(key);
    }
  }
}
