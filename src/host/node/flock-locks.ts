import { onAbort, throwIfAborted, unlessAborted } from '../../base/aborted.js';
import { type Logger, SILENT } from '../../base/logger.js';
import { shellWords } from '../../base/quoted.js';
import { VolumeError } from '../../base/volume-error.js';
import type { Locks } from '../locks.js';
import { type HelperEnd, takeFlock, type Taking, wayOf } from './flock-holder.js';
import { readHolder } from './lock-holder.js';

/** How long a call waits, for all of its keys together. */
interface Wait {
  readonly signal: AbortSignal;
  /** By performance.now(). */
  readonly deadline: number;
}

/**
 * One lock file a key, held by flock(1): exclusive between all processes of the host, and gone when nobody holds it.
 */
export class FlockLocks implements Locks {
  readonly #directory: string;
  readonly #waitMs: number;
  readonly #rootHelper: readonly string[];
  readonly #logger: Logger;
  /** Calls of this process queue here first, in order, so that each key has one waiting helper at most. */
  readonly #queue = new Map<string, Promise<unknown>>();

  constructor({
    directory,
    waitMs,
    rootHelper = [],
    logger = SILENT,
  }: {
    readonly directory: string;
    readonly waitMs: number;
    readonly rootHelper?: readonly string[];
    readonly logger?: Logger;
  }) {
    this.#directory = directory;
    this.#waitMs = waitMs;
    this.#rootHelper = rootHelper;
    this.#logger = logger;
  }

  async hold<Result>(
    keys: readonly string[],
    signal: AbortSignal,
    body: (held: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const deadline = performance.now() + this.#waitMs;
    return await this.#holdAll([...new Set(keys)].toSorted(), { signal, deadline }, body);
  }

  async #holdAll<Result>(
    [key, ...rest]: readonly string[],
    wait: Wait,
    body: (held: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    if (key === undefined) return await body(wait.signal);
    return await this.#inTurn(
      key,
      wait,
      async () =>
        await this.#withFile(key, wait, async (held) => await this.#holdAll(rest, { ...wait, signal: held }, body)),
    );
  }

  async #inTurn<Result>(key: string, { signal, deadline }: Wait, body: () => Promise<Result>): Promise<Result> {
    throwIfAborted(signal);
    const before = this.#queue.get(key) ?? Promise.resolve();
    const waiting = new AbortController();
    const limit = setTimeout(
      () => {
        waiting.abort();
      },
      Math.max(deadline - performance.now(), 0),
    );
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
    } catch (error) {
      throw signal.aborted ? error : await this.#timedOut(key);
    } finally {
      clearTimeout(limit);
    }
    return await turn;
  }

  /** The body's signal aborts when the helper ends before the body does. */
  async #withFile<Result>(key: string, wait: Wait, body: (held: AbortSignal) => Promise<Result>): Promise<Result> {
    const { signal } = wait;
    const { ended, release } = await this.#take(key, wait);
    const held = new AbortController();
    const off = onAbort(signal, () => {
      held.abort(signal.reason);
    });
    let isInside = true;
    const guard = ended.then((end) => {
      if (!isInside) return;
      const lost = lostLock(key, end);
      this.#logger.warn('Lost a lock while a call held it', { key, reason: lost.message });
      held.abort(lost);
    });
    try {
      throwIfAborted(signal);
      return await body(held.signal);
    } finally {
      isInside = false;
      off();
      await release();
      await guard;
    }
  }

  async #take(key: string, { signal, deadline }: Wait): Promise<Extract<Taking, { readonly kind: 'held' }>> {
    const rootHelper = this.#rootHelper;
    const taking = await takeFlock(this.#directory, `${key}.lock`, { deadline, rootHelper }, signal);
    switch (taking.kind) {
      case 'held':
        return taking;
      case 'timed-out':
        throw await this.#timedOut(key);
      case 'failed':
        throw new VolumeError('PERMISSION_DENIED', `Cannot lock ${key} in ${this.#directory}`, {
          cause: new Error(taking.reason),
          hint: 'run as root, or set lock_directory to a folder that this user may write to',
        });
      default:
        return taking satisfies never;
    }
  }

  async #timedOut(key: string): Promise<VolumeError> {
    const file = `${this.#directory}/${key}.lock`;
    const waited = `this call waited ${this.#waitMs / 1000} s`;
    const holder = await readHolder(file);
    if (holder === undefined)
      return new VolumeError(
        'LOCK_TIMED_OUT',
        `Cannot lock ${key}: another operation on this target has it; ${waited}`,
        {
          hint: `fuser -v ${shellWords(file)} shows who holds it`,
          details: { key },
        },
      );
    const { pid, program, since } = holder;
    const who =
      pid === process.pid ? `another call of this process (${pid}, ${program})` : `process ${pid} (${program})`;
    return new VolumeError('LOCK_TIMED_OUT', `Cannot lock ${key}: ${who} has held it since ${since}; ${waited}`, {
      hint: `ps -o pid,lstart,args -p ${pid} shows the process that has held it since ${since}`,
      details: { key, pid, program, since },
    });
  }
}

function lostLock(key: string, end: HelperEnd): VolumeError {
  return new VolumeError(
    'LOCK_LOST',
    `Stopped as the lock of ${key} was taken away: the process that holds it for this call ${wayOf(end)}`,
    {
      hint: 'call again; journalctl -k -g oom shows whether the host ran out of memory',
      details: { key, ...(end.signal === null ? {} : { signal: end.signal }) },
    },
  );
}
