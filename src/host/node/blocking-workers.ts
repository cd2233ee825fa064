import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { throwIfAborted, unlessAborted } from '../../base/aborted.js';
import type { BlockingAnswer, BlockingJob } from './blocking-job.js';
import { ThreadPoolSlots } from './thread-pool-slots.js';

/**
 * Work that may block for minutes. On libuv's four shared threads, four stuck sysfs writes would stop every file and
 * DNS access of the process: two of them may be used, for writes, and what finds those stuck has a worker thread of its
 * own, which serves one job at a time and is kept for the next. A stuck one harms nobody else.
 */
export class BlockingWorkers {
  readonly #lanes = new ThreadPoolSlots();
  readonly #idle: BlockingThread[] = [];
  readonly #writes = new Set<{ readonly path: string; readonly signal: AbortSignal }>();

  /** Whether a write to the file, or a sync of it, goes on that nobody waits for. */
  hasLeft(path: string): boolean {
    return [...this.#writes].some((write) => write.path === path && write.signal.aborted);
  }

  async run(job: BlockingJob, signal: AbortSignal): Promise<BlockingAnswer> {
    throwIfAborted(signal);
    const lane = job.kind === 'write' ? await this.#lanes.take() : undefined;
    if (job.kind !== 'write' || lane === undefined) return await this.#inThread(job, signal);
    if (signal.aborted) lane.release();
    throwIfAborted(signal);
    return await this.#awaited(
      job,
      written(job).finally(() => {
        lane.release();
      }),
      signal,
    );
  }

  async #inThread(job: BlockingJob, signal: AbortSignal): Promise<BlockingAnswer> {
    throwIfAborted(signal);
    const thread = this.#idle.pop() ?? new BlockingThread();
    const answer = thread.do(job);
    answer.then(
      () => this.#idle.push(thread),
      () => undefined,
    );
    try {
      return await this.#awaited(job, answer, signal);
    } catch (error) {
      thread.abandon();
      throw error;
    }
  }

  async #awaited(job: BlockingJob, answer: Promise<BlockingAnswer>, signal: AbortSignal): Promise<BlockingAnswer> {
    const write = { path: job.path, signal };
    if (job.kind !== 'users') this.#writes.add(write);
    const end = (): void => {
      this.#writes.delete(write);
    };
    answer.then(end, end);
    return await unlessAborted(answer, signal);
  }
}

/** Makes no file: an attribute is there, or its device is gone. */
async function written({ path, text }: Extract<BlockingJob, { kind: 'write' }>): Promise<BlockingAnswer> {
  try {
    const file = await open(path, constants.O_WRONLY);
    try {
      await file.write(text);
    } finally {
      await file.close();
    }
    return { kind: 'done', users: [] };
  } catch (error) {
    return {
      kind: 'failed',
      code: error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '',
      message: String(error),
    };
  }
}

/** One worker thread. It keeps the process alive only while somebody waits for its answer. */
class BlockingThread {
  readonly #worker = new Worker(new URL('./blocking-worker.js', import.meta.url));
  #settle:
    { readonly resolve: (answer: BlockingAnswer) => void; readonly reject: (error: unknown) => void } | undefined;

  constructor() {
    this.#worker.on('message', (answer: BlockingAnswer) => {
      this.#settle?.resolve(answer);
    });
    this.#worker.on('error', (error) => {
      this.#settle?.reject(error);
    });
  }

  async do(job: BlockingJob): Promise<BlockingAnswer> {
    this.#worker.ref();
    try {
      return await new Promise<BlockingAnswer>((resolve, reject) => {
        this.#settle = { resolve, reject };
        this.#worker.postMessage(job);
      });
    } finally {
      this.#worker.unref();
    }
  }

  /**
   * Nobody waits any more. The job goes on; a process that ends meanwhile ends with it, since no thread of the kernel's
   * can be taken back.
   */
  abandon(): void {
    this.#worker.unref();
  }
}
