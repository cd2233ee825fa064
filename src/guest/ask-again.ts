import type { Clock } from '../host/clock.js';

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
