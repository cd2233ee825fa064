import type { Secret } from '../base/secret.js';
import type { GuestDisks } from './guest-disks.js';
import type { Libvirt, SecretUsage } from '../libvirt/libvirt.js';

export interface VolumeSecretsParts {
  readonly libvirt: Libvirt;
  readonly guestDisks: GuestDisks;
}

/**
 * The libvirt secrets that open encrypted volumes: one for each volume, found by its usage (type `volume`, the volume's
 * id), as nova has them (nova, virt/libvirt/driver.py, _attach_encryptor). One is there as long as a guest has the
 * volume, for now or for its next start. Both calls are for whoever holds the lock of the volume's target.
 */
export class VolumeSecrets {
  readonly #libvirt: Libvirt;
  readonly #guestDisks: GuestDisks;

  constructor({ libvirt, guestDisks }: VolumeSecretsParts) {
    this.#libvirt = libvirt;
    this.#guestDisks = guestDisks;
  }

  /**
   * A secret that a guest uses stays as it is: it has opened the volume. One that a crash left behind gets the value
   * anew.
   * @returns the secret's UUID, for the disk XML
   */
  async provide(volumeId: string, passphrase: Secret, signal: AbortSignal): Promise<string> {
    const known = await this.#libvirt.findSecret(usageOf(volumeId), signal);
    if (known !== undefined && (await this.#isUsed(known, signal))) return known;
    return await this.#libvirt.defineSecret(usageOf(volumeId), passphrase, signal);
  }

  /** Removes the secret unless a guest needs it; quiet when there is none. */
  async withdraw(volumeId: string, signal: AbortSignal): Promise<void> {
    const known = await this.#libvirt.findSecret(usageOf(volumeId), signal);
    if (known !== undefined && !(await this.#isUsed(known, signal)))
      await this.#libvirt.undefineSecret(usageOf(volumeId), signal);
  }

  async #isUsed(uuid: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#guestDisks.guestsWith(({ secretUuid }) => secretUuid === uuid, signal)).length > 0;
  }
}

function usageOf(volumeId: string): SecretUsage {
  return { type: 'volume', id: volumeId };
}
