import { aborted, onAbort, throwIfAborted } from '../../src/base/aborted.js';
import type { Clock } from '../../src/host/clock.js';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/**
 * Time that passes only when all who could work sleep, and then to the next who wakes: a wait of a minute takes no
 * time, its length is exact, and a hundred who wait at once wait as long as one.
 */
export class FakeClock implements Clock {
  #now = 0;
  /** In the order in which they wake. */
  readonly #sleepers: Sleeper[] = [];
  #runs = false;

  now(): number {
    return this.#now;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    await new Promise<void>((resolve, reject) => {
      const sleeper = {
        at: this.#now + ms,
        wake: () => {
          off();
          resolve();
        },
      };
      const off = onAbort(signal, () => {
        this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
        reject(aborted(signal));
      });
      const later = this.#sleepers.findLastIndex(({ at }) => at <= sleeper.at);
      this.#sleepers.splice(later + 1, 0, sleeper);
      this.#run();
    });
  }

  #run(): void {
    if (this.#runs) return;
    this.#runs = true;
    setImmediate(() => {
      this.#runs = false;
      const next = this.#sleepers.shift();
      if (next === undefined) return;
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      if (this.#sleepers.length > 0) this.#run();
    });
  }
}
