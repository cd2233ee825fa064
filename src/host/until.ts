import { throwIfAborted } from '../base/aborted.js';
import type { Clock } from './clock.js';

/** Asked again after 1, 2, 4 and 8 ms, then every 10 ms: what appears is seen within 10 ms, and an early answer costs nothing. */
const LONGEST_PAUSE_MS = 10;

/**
 * Asks until there is an answer.
 * @returns the answer, or `undefined` when `timeoutMs` passed without one
 * @throws {VolumeError} `ABORTED` when the signal aborts
 */
export async function until<Answer>(
  ask: () => Promise<Answer | undefined>,
  { clock, timeoutMs, signal }: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Answer | undefined> {
  const deadline = clock.now() + timeoutMs;
  for (let pause = 1; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    throwIfAborted(signal);
    const answer = await ask();
    if (answer !== undefined || clock.now() >= deadline) return answer;
    await clock.sleep(pause, signal);
  }
}
