import { throwIfAborted } from '../base/aborted.js';
import type { Clock } from './clock.js';

/**
 * Asked again after 1, 2, 4 and 8 ms, then every 10 ms: what appears is seen within 10 ms, and an early answer costs
 * nothing.
 */
const LONGEST_PAUSE_MS = 10;
/**
 * A look may not become the load that it waits for: where it takes long (many sessions, a busy host), the pause after
 * it is this many times as long, so that who waits takes a fifth of a processor at most, and what is waited for gets
 * the rest. After a second the pause grows with the time that has passed, up to a seventeenth of a processor.
 */
const REST = 4;
const LONGEST_REST = 16;
/** Whatever a look takes, the next one begins this soon. */
const LONGEST_REST_MS = 250;

/**
 * Asks until there is an answer.
 * @returns the answer, or `undefined` when `timeoutMs` passed without one
 * @throws {VolumeError} `ABORTED` when the signal aborts
 */
export async function pollUntil<Answer>(
  ask: () => Promise<Answer | undefined>,
  { clock, timeoutMs, signal }: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Answer | undefined> {
  const start = clock.now();
  const deadline = start + timeoutMs;
  for (let pause = 1; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    throwIfAborted(signal);
    const began = clock.now();
    const answer = await ask();
    const now = clock.now();
    if (answer !== undefined || now >= deadline) return answer;
    const factor = Math.min(LONGEST_REST, REST * Math.max(1, (now - start) / 1_000));
    const rest = Math.min(factor * (now - began), LONGEST_REST_MS, deadline - now);
    await clock.sleep(Math.max(pause, rest), signal);
  }
}
