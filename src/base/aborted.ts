import { VolumeError } from './volume-error.js';

/** The error that an aborted signal becomes. A deadline is told apart from a caller who gave up. */
export function aborted(signal: AbortSignal): VolumeError {
  const reason: unknown = signal.reason;
  if (reason instanceof VolumeError) return reason;
  const late = reason instanceof Error && reason.name === 'TimeoutError';
  return new VolumeError('ABORTED', late ? 'Stopped as the time limit passed' : 'Stopped as the caller asked', {
    cause: reason,
  });
}

/** @throws {VolumeError} `ABORTED` when the signal has aborted */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw aborted(signal);
}

/** Who waits for each signal to abort. One listener serves them all: Node.js warns of a leak when a signal has many. */
const WAITING = new WeakMap<AbortSignal, Set<{ readonly tell: () => void }>>();

/** Calls `tell` when the signal aborts. @returns what takes it off again */
export function onAbort(signal: AbortSignal, tell: () => void): () => void {
  const waiting = WAITING.get(signal) ?? listenTo(signal);
  const entry = { tell };
  waiting.add(entry);
  return () => {
    waiting.delete(entry);
  };
}

function listenTo(signal: AbortSignal): Set<{ readonly tell: () => void }> {
  const waiting = new Set<{ readonly tell: () => void }>();
  WAITING.set(signal, waiting);
  signal.addEventListener(
    'abort',
    () => {
      for (const { tell } of [...waiting]) tell();
    },
    { once: true },
  );
  return waiting;
}

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
