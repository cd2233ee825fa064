import type { Clock } from '../host/clock.js';

const FIRST_MS = 20;
const LONGEST_MS = 1_000;

/** The waits between two looks: short at first, then longer, and over at once when somebody wakes the sleeper. */
export class Pause {
  readonly #clock: Clock;
  #ms = FIRST_MS;
  #isAwake = false;
  #sleeping: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The next pause is a short one again. */
  reset(): void {
    this.#ms = FIRST_MS;
  }

  /** Ends the pause that is being taken, or the next one before it starts. */
  wake(): void {
    this.#isAwake = true;
    this.#sleeping?.abort();
  }

  /**
   * @param deadline by the clock: no pause lasts beyond it
   * @throws {VolumeError} `ABORTED` when the signal aborts
   */
  async take(deadline: number, signal: AbortSignal): Promise<void> {
    if (!this.#isAwake) await this.#sleep(Math.max(0, Math.min(this.#ms, deadline - this.#clock.now())), signal);
    this.#isAwake = false;
    this.#ms = Math.min(this.#ms * 2, LONGEST_MS);
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    const sleeping = (this.#sleeping = new AbortController());
    try {
      await this.#clock.sleep(ms, AbortSignal.any([signal, sleeping.signal]));
    } catch (error) {
      if (signal.aborted || !sleeping.signal.aborted) throw error;
    } finally {
      this.#sleeping = undefined;
    }
  }
}
