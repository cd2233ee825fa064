import { Worker } from 'node:worker_threads';
import { aborted, throwIfAborted } from '../../base/aborted.js';
import type { BlockingAnswer, BlockingJob } from './blocking-job.js';

/**
 * Worker threads for work that may block for minutes. On libuv's four shared threads, four stuck sysfs writes would stop every file and
 * DNS access of the process. A worker serves one job at a time and is kept for the next; a stuck one harms nobody else.
 */
export class BlockingWorkers {
  readonly #idle: Worker[] = [];

  async run(job: BlockingJob, signal: AbortSignal): Promise<BlockingAnswer> {
    throwIfAborted(signal);
    const worker = this.#idle.pop() ?? new Worker(new URL('./blocking-worker.js', import.meta.url));
    worker.ref();
    return await new Promise<BlockingAnswer>((resolve, reject) => {
      const giveUp = (): void => {
        worker.unref();
        reject(aborted(signal));
      };
      const settle = (finish: () => void): void => {
        signal.removeEventListener('abort', giveUp);
        worker.removeAllListeners();
        worker.unref();
        finish();
      };
      signal.addEventListener('abort', giveUp, { once: true });
      worker.once('message', (answer: BlockingAnswer) => {
        settle(() => { resolve(answer); });
        this.#idle.push(worker);
      });
      worker.once('error', (error) => { settle(() => { reject(error); }); });
      worker.postMessage(job);
    });
  }
}
