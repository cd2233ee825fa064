import type { IscsiConnection } from '../connection/iscsi-connection.js';
import { readConnectionInfo } from '../connection/read-connection-info.js';
import type { DiskMatch } from '../guest/guest-disk.js';
import type { VolumeInGuest } from '../guest/volume-in-guest.js';
import type { DomainRef } from '../libvirt/libvirt.js';
import { type ConnectedVolume, sourcePathsOf } from '../volume/connected-volume.js';
import type { HostVolumes } from '../volume/host-volumes.js';
import { type DisconnectOptions, withWarnings, type ReleasedVolume } from '../volume/released-volume.js';
import { releaseAfterGuest, type ReleaseParts } from './release-after-guest.js';

export interface DetacherParts extends ReleaseParts {
  readonly volumes: HostVolumes;
  readonly inGuest: VolumeInGuest;
}

/** Takes a volume from a guest, and then from this host. */
export class VolumeDetacher {
  readonly #parts: DetacherParts;

  constructor(parts: DetacherParts) {
    this.#parts = parts;
  }

  /**
   * Guest, device, session: until the guest has let go, nothing of the host is touched. A guest that takes its time is
   * waited for without the target's lock. Locked is what asks libvirt once and decides by the answer: whether another
   * guest has the volume too, and the end of its secret, which an attach meanwhile would need.
   */
  async detach(
    domain: DomainRef,
    connectionInfo: unknown,
    options: DisconnectOptions,
    signal: AbortSignal,
  ): Promise<ReleasedVolume> {
    const { guestDisks, volumes } = this.#parts;
    const { connection, notes } = await volumes.resolve(readConnectionInfo(connectionInfo), signal);
    const { wwid } = options;
    if (wwid !== undefined)
      await volumes.hold([connection], signal, async (held, signal) => {
        await held.verifyIdentity(connection, wwid, signal);
      });
    const match = await this.#matchIn(domain, connection, signal);
    const inGuest = await guestDisks.detach(domain, match, signal);
    const released = await volumes.hold(
      [connection],
      signal,
      async (held, signal) =>
        await releaseAfterGuest({ inGuest, match }, { connection, options, held }, this.#parts, signal),
    );
    return withWarnings(released, notes);
  }

  /**
   * A disk that only its device tells to be the volume's is looked for once more under the locks: the volume stays
   * while we look, and so the device is no other volume's.
   */
  async #matchIn(domain: DomainRef, connection: IscsiConnection, signal: AbortSignal): Promise<DiskMatch> {
    const { inGuest, volumes } = this.#parts;
    const look = async (volume: ConnectedVolume | undefined, until: AbortSignal): Promise<DiskMatch> =>
      await inGuest.match(domain, connection, volume === undefined ? [] : sourcePathsOf(volume), until);
    const match = await look(await volumes.find(connection), signal);
    return match.liveAlias === undefined
      ? match
      : await volumes.hold(
          [connection],
          signal,
          async (held, signal) => await look(await held.find(connection), signal),
        );
  }
}
