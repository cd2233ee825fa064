import { aborted } from './aborted.js';
import { onAbort } from './on-abort.js';

/** Waits for what others may be waiting for too: the signal ends this wait, not the work. */
export function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  if (signal.aborted) {
    work.catch(() => undefined); // whoever else waits for it is told
    return Promise.reject(aborted(signal));
  }
  return new Promise((resolve, reject) => {
    const off = onAbort(signal, () => {
      reject(aborted(signal));
    });
    work.then(resolve, reject).finally(off);
  });
}
