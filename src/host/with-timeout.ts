import type { Clock } from './clock.js';
import { pollUntil } from './poll-until.js';

/**
 * Waits for work that may take for ever.
 * @returns `undefined` when `timeoutMs` passed without a result. The work goes on, and what becomes of it is told to
 * nobody
 * @throws what the work rejects with in time; {VolumeError} `ABORTED` when the signal aborts
 */
export async function withTimeout<Result>(
  work: Promise<Result>,
  limits: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<{ readonly result: Result } | undefined> {
  let outcome: { readonly result: Result } | { readonly error: unknown } | undefined;
  work.then(
    (result) => {
      outcome = { result };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  const ended = await pollUntil(async () => outcome, limits);
  if (ended !== undefined && 'error' in ended) throw ended.error;
  return ended;
}
