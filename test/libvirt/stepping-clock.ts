import { throwIfAborted } from '../../src/base/aborted.js';
import type { Clock } from '../../src/host/clock.js';

/** Time that passes only while somebody sleeps, and then at once. */
export class SteppingClock implements Clock {
  readonly #onSleep: (now: number) => void;
  #now = 0;

  /** @param onSleep told the time at the end of each sleep: what happens in the world meanwhile */
  constructor(onSleep: (now: number) => void = () => undefined) {
    this.#onSleep = onSleep;
  }

  now(): number {
    return this.#now;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    this.#now += ms;
    this.#onSleep(this.#now);
    await Promise.resolve();
    throwIfAborted(signal);
  }
}
