import { shellWords } from '../../base/quoted.js';
import { VolumeError } from '../../base/volume-error.js';
import type { IscsiConnection } from '../../connection/iscsi-connection.js';
import { findLiveDisk, type GuestDisk } from '../../guest/guest-disk.js';
import type { GuestDisks } from '../../guest/guest-disks.js';
import type { VolumeInGuest } from '../../guest/volume-in-guest.js';
import type { Domain } from '../../libvirt/libvirt.js';
import { type ConnectedVolume, sourcePathsOf } from '../../volume/connected-volume.js';
import type { HeldVolumes } from '../../volume/held-volumes.js';

export interface SwapDiskFinderParts {
  readonly guestDisks: GuestDisks;
  readonly inGuest: VolumeInGuest;
}

/** The volume that a guest has, and the one that shall take its place. */
export interface SwapPair {
  readonly from: IscsiConnection;
  readonly to: IscsiConnection;
}

/** What the guest has at the moment. */
export interface FoundDisk {
  readonly disk: GuestDisk;
  /** The old volume on this host; `undefined` where another swap has moved the guest already. */
  readonly old: ConnectedVolume | undefined;
}

/** Which of a running guest's disks a swap is about, looked up under the locks of both volumes' targets. */
export class SwapDiskFinder {
  readonly #parts: SwapDiskFinderParts;

  constructor(parts: SwapDiskFinderParts) {
    this.#parts = parts;
  }

  /**
   * A guest that is on the new volume already is what another swap has left, one that was cut off or one beside this.
   * @throws {VolumeError} `DEVICE_NOT_FOUND`, `DEVICE_IN_USE` when the guest has both, `DISK_INFO_INVALID`
   */
  async find(domain: Domain, { from, to }: SwapPair, held: HeldVolumes, signal: AbortSignal): Promise<FoundDisk> {
    const [there, old] = [await held.find(to), await held.find(from)];
    const moved = there === undefined ? undefined : await this.#diskOn(domain, there, signal);
    if (moved !== undefined) {
      await this.#requireOneOfThem(domain, moved, old, signal);
      return { disk: moved, old: undefined };
    }
    if (old === undefined)
      throw new VolumeError('DEVICE_NOT_FOUND', 'Cannot swap the volume: the old one is not connected to this host', {
        hint: 'attach the new one: the guest cannot have the old one',
      });
    const disk = await this.#diskOf(domain, from, old, signal);
    if (disk === undefined)
      throw new VolumeError(
        'DEVICE_NOT_FOUND',
        `Cannot swap the volume: guest "${domain.name}" does not have the old one`,
        {
          hint: `attach the new one; virsh domblklist ${shellWords(domain.name)} shows what the guest has`,
          details: { guest: domain.name },
        },
      );
    if (disk.device === 'lun') {
      throw new VolumeError(
        'DISK_INFO_INVALID',
        `Cannot swap the volume: ${disk.targetDev} of guest "${domain.name}" is of type lun: its requests go past ` +
          'QEMU, which would copy',
        { hint: 'detach the old one and attach the new one', details: { key: 'type' } },
      );
    }
    return { disk, old };
  }

  /** A guest that has both has the new one as a disk of its own. */
  async #requireOneOfThem(
    { uuid, name }: Domain,
    { targetDev }: GuestDisk,
    old: ConnectedVolume | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (old === undefined || (await this.#diskOn({ uuid }, old, signal)) === undefined) return;
    throw new VolumeError(
      'DEVICE_IN_USE',
      `Cannot swap the volume: guest "${name}" has the new one too, as ${targetDev}`,
      { hint: 'detach the new volume first: what is on it will be written over', details: { guest: name, targetDev } },
    );
  }

  /**
   * The running guest's disk that is on the volume's device.
   * @throws {VolumeError} `DEVICE_MISMATCH` when the disk that is called after the volume is another volume by now
   */
  async #diskOf(
    domain: Domain,
    connection: IscsiConnection,
    volume: ConnectedVolume,
    signal: AbortSignal,
  ): Promise<GuestDisk | undefined> {
    const paths: readonly string[] = sourcePathsOf(volume);
    const ref = { kind: 'uuid', uuid: domain.uuid } as const;
    const match = await this.#parts.inGuest.match(ref, connection, paths, signal);
    const disk = findLiveDisk(await this.#parts.guestDisks.liveDisks(ref, signal), match);
    return disk !== undefined && isOn(disk, paths) ? disk : undefined;
  }

  /**
   * By the device alone: a guest that had this volume before and swapped it for the old one calls that one after it
   * until it starts anew.
   */
  async #diskOn(
    { uuid }: Pick<Domain, 'uuid'>,
    volume: ConnectedVolume,
    signal: AbortSignal,
  ): Promise<GuestDisk | undefined> {
    const paths: readonly string[] = sourcePathsOf(volume);
    const disks = await this.#parts.guestDisks.liveDisks({ kind: 'uuid', uuid }, signal);
    return disks.find((disk) => isOn(disk, paths));
  }
}

function isOn({ sourcePath }: GuestDisk, paths: readonly string[]): boolean {
  return sourcePath !== undefined && paths.includes(sourcePath);
}
