import { throwIfAborted, unlessAborted } from '../../base/aborted.js';
import { shellWords } from '../../base/quoted.js';
import { VolumeError } from '../../base/volume-error.js';
import type { Locks } from '../locks.js';
import { takeFlock } from './flock-holder.js';

/**
 * One lock file a key, held by flock(1): exclusive between all processes of the host, and gone when nobody holds it.
 */
export class FlockLocks implements Locks {
  readonly #directory: string;
  readonly #waitMs: number;
  readonly #rootHelper: readonly string[];
  /** Calls of this process queue here first, in order, so that each key has one waiting helper at most. */
  readonly #queue = new Map<string, Promise<unknown>>();

  constructor({
    directory,
    waitMs,
    rootHelper = [],
  }: {
    readonly directory: string;
    readonly waitMs: number;
    readonly rootHelper?: readonly string[];
  }) {
    this.#directory = directory;
    this.#waitMs = waitMs;
    this.#rootHelper = rootHelper;
  }

  async hold<Result>(keys: readonly string[], signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
    const [key, ...rest] = [...new Set(keys)].toSorted();
    if (key === undefined) return await body();
    return await this.#inTurn(
      key,
      signal,
      async () => await this.#withFile(key, signal, async () => await this.hold(rest, signal, body)),
    );
  }

  async #inTurn<Result>(key: string, signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
    throwIfAborted(signal);
    const before = this.#queue.get(key) ?? Promise.resolve();
    const waiting = new AbortController();
    const limit = setTimeout(() => {
      waiting.abort(this.#timedOut(key));
    }, this.#waitMs);
    const untilTurn = AbortSignal.any([signal, waiting.signal]);
    const turn = before.then(async () => {
      throwIfAborted(untilTurn);
      return await body();
    });
    const settled = turn
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => {
        if (this.#queue.get(key) === settled) this.#queue.delete(key);
      });
    this.#queue.set(key, settled);
    try {
      await unlessAborted(before, untilTurn); // a caller who gives up does not wait for those before
    } finally {
      clearTimeout(limit);
    }
    return await turn;
  }

  async #withFile<Result>(key: string, signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
    const release = await this.#take(key, signal);
    try {
      return await body();
    } finally {
      await release();
    }
  }

  async #take(key: string, signal: AbortSignal): Promise<() => Promise<void>> {
    const taking = await takeFlock(
      this.#directory,
      `${key}.lock`,
      { waitMs: this.#waitMs, rootHelper: this.#rootHelper },
      signal,
    );
    switch (taking.kind) {
      case 'held':
        return taking.release;
      case 'timed-out':
        throw this.#timedOut(key);
      case 'failed':
        throw new VolumeError('PERMISSION_DENIED', `Cannot lock ${key} in ${this.#directory}`, {
          cause: new Error(taking.reason),
          hint: 'run as root, or set lock_directory to a folder that this user may write to',
        });
      default:
        return taking satisfies never;
    }
  }

  #timedOut(key: string): VolumeError {
    return new VolumeError(
      'LOCK_TIMED_OUT',
      `Cannot lock ${key}: another operation on this target has held it for ${this.#waitMs / 1000} s`,
      {
        hint: `fuser -v ${shellWords(`${this.#directory}/${key}.lock`)} shows who holds it`,
        details: { key },
      },
    );
  }
}
