import { throwIfAborted } from '../../src/base/aborted.js';
import type { Locks } from '../../src/host/locks.js';

/** Locks of one process: who comes first goes first. */
export class FakeLocks implements Locks {
  /** How many were taken: each of the real ones is one process. */
  taken = 0;
  readonly #queue = new Map<string, Promise<unknown>>();

  async hold<Result>(keys: readonly string[], signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
    const [key, ...rest] = [...new Set(keys)].toSorted();
    if (key === undefined) return await body();
    const turn = (this.#queue.get(key) ?? Promise.resolve()).then(async () => {
      throwIfAborted(signal);
      this.taken += 1;
      return await this.hold(rest, signal, body);
    });
    this.#queue.set(
      key,
      turn.catch(() => undefined),
    );
    return await turn;
  }
}
