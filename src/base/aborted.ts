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
