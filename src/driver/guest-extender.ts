import { readConnectionInfo } from '../connection/read-connection-info.js';
import type { VolumeEvents } from '../events/volume-events.js';
import type { GuestDisks } from '../guest/guest-disks.js';
import { refuseEncryptedGrowth } from '../guest/guest-refusals.js';
import type { VolumeInGuest } from '../guest/volume-in-guest.js';
import type { Clock } from '../host/clock.js';
import type { DomainRef, Libvirt } from '../libvirt/libvirt.js';
import type { HostVolumes } from '../volume/host-volumes.js';
import { withWarnings } from '../volume/released-volume.js';
import type { ExtendedVolume } from './volume-driver.js';

export interface GuestExtenderParts {
  readonly volumes: HostVolumes;
  readonly libvirt: Libvirt;
  readonly guestDisks: GuestDisks;
  readonly inGuest: VolumeInGuest;
  readonly clock: Clock;
  readonly events: VolumeEvents;
}

/**
 * Brings the host, and then the guest, to the size that the storage has given a volume. Its target stays locked while
 * libvirt tells the guest: of two calls the later one has the later size and tells it last, and a disk that only its
 * device tells to be the volume's is that as long as nobody takes the volume away. It is one call of libvirt, and waits
 * for no guest.
 */
export class GuestExtender {
  readonly #parts: GuestExtenderParts;

  constructor(parts: GuestExtenderParts) {
    this.#parts = parts;
  }

  /** @param domain the guest that has the volume, where there is one */
  async extend(domain: DomainRef | undefined, connectionInfo: unknown, signal: AbortSignal): Promise<ExtendedVolume> {
    const { clock, events, libvirt, volumes } = this.#parts;
    const listed = readConnectionInfo(connectionInfo);
    if (domain !== undefined) {
      refuseEncryptedGrowth(listed);
      await libvirt.lookupDomain(domain, signal);
    }
    const { connection, notes } = await volumes.resolve(listed, signal);
    const extended = await volumes.hold([connection], signal, async (held, signal) => {
      const began = clock.now();
      const { device, oldSizeBytes, sourcePaths, warnings } = await held.extend(connection, signal);
      const newSizeBytes = device.sizeBytes;
      const { guestDisks, inGuest } = this.#parts;
      const outcome =
        domain === undefined
          ? undefined
          : await guestDisks.resize(
              domain,
              await inGuest.match(domain, connection, sourcePaths, signal),
              newSizeBytes,
              signal,
            );
      const guestResized = outcome === 'resized';
      events.emit({
        kind: 'volume-extended',
        wwid: device.wwid,
        device: device.path,
        oldSizeBytes,
        newSizeBytes,
        guestResized,
        durationMs: clock.now() - began,
      });
      const missing = outcome === 'no-such-disk' ? ['the guest does not have the volume'] : [];
      return { device, oldSizeBytes, newSizeBytes, guestResized, warnings: [...warnings, ...missing] };
    });
    return withWarnings(extended, notes);
  }
}
