import { throwIfAborted } from '../../src/base/aborted.js';
import type { Clock } from '../../src/host/clock.js';

/** Time that passes only when somebody sleeps: a wait of a minute takes no time, and its length is exact. */
export class FakeClock implements Clock {
  #now = 0;

  now(): number {
    return this.#now;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    await new Promise((resolve) => setImmediate(resolve));
    throwIfAborted(signal);
    this.#now += ms;
  }
}
