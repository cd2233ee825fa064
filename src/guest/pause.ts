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

/** A guest that is booting may not hear a request (nova asks again too: [libvirt] device_detach_attempts). */
const AGAIN_AFTER_MS = 5_000;

/** Whether it is time to ask the guest, at first or once more. */
export class AskAgain {
  readonly #clock: Clock;
  #lastAt: number | undefined;
  #asked = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get asked(): number {
    return this.#asked;
  }

  get isDue(): boolean {
    return this.#lastAt === undefined || this.#clock.now() - this.#lastAt >= AGAIN_AFTER_MS;
  }

  /**
   * Notes a request whose call has returned: libvirt itself waits 5 s in that call (src/qemu/qemu_hotplug.c,
   * qemuDomainRemoveDeviceWaitTime).
   */
  note(): void {
    this.#lastAt = this.#clock.now();
    this.#asked++;
  }
}
