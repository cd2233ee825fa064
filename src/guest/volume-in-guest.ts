import { VolumeError } from '../base/volume-error.js';
import type { IscsiConnection } from '../connection/iscsi-connection.js';
import { unitsBehind } from '../device/units-behind.js';
import type { FileSystem } from '../host/file-system.js';
import type { OpenIscsiInitiator } from '../initiator/open-iscsi-initiator.js';
import { type DomainRef, formatDomainRef } from '../libvirt/libvirt.js';
import { diskMatch, type DiskMatch, findGuestDisk, type GuestDisk } from './guest-disk.js';
import type { GuestDisks } from './guest-disks.js';

export interface VolumeInGuestParts {
  readonly guestDisks: GuestDisks;
  readonly initiator: Pick<OpenIscsiInitiator, 'sessions'>;
  readonly files: FileSystem;
}

/**
 * Which of a guest's disks is a volume's, also after a swap. A running guest's device keeps alias and serial for life,
 * so once another volume has taken the place of one, both are the wrong ones, until the guest starts anew. The device
 * does not lie: QEMU has it open, and the kernel gives no other disk the name of one that is open (Linux,
 * drivers/scsi/sd.c: the index goes back in scsi_disk_release, after the last one has closed it).
 */
export class VolumeInGuest {
  readonly #parts: VolumeInGuestParts;

  constructor(parts: VolumeInGuestParts) {
    this.#parts = parts;
  }

  /**
   * @param sourcePaths every path of the volume's device on this host now; none when it is not connected. A match with
   * `liveAlias` is one by these alone: it holds under the locks of the volume's targets, where nobody takes
   *   the volume away
   * @throws {VolumeError} `DEVICE_MISMATCH` when the disk that is called after the volume is another volume by now
   */
  async match(
    domain: DomainRef,
    connection: IscsiConnection,
    sourcePaths: readonly string[],
    signal: AbortSignal,
  ): Promise<DiskMatch> {
    const plain = diskMatch(connection, sourcePaths);
    const disks = await this.#parts.guestDisks.liveDisks(domain, signal);
    const isOn = ({ sourcePath }: GuestDisk): boolean => sourcePath !== undefined && sourcePaths.includes(sourcePath);
    const named = findGuestDisk(disks, plain);
    if (named !== undefined && isOn(named)) return plain;
    const held = disks.find(isOn);
    if (held?.alias !== undefined) return { ...plain, liveAlias: held.alias };
    if (named !== undefined) await this.#requireNotAnother(domain, named, connection);
    return plain;
  }

  /** A device that is gone, or is none of iSCSI's, is taken for the volume's: its alias says so. */
  async #requireNotAnother(
    domain: DomainRef,
    { alias, sourcePath, targetDev }: GuestDisk,
    { paths }: IscsiConnection,
  ): Promise<void> {
    const { files, initiator } = this.#parts;
    const units = sourcePath === undefined ? [] : await unitsBehind(sourcePath, await initiator.sessions(), files);
    const [first] = units;
    if (
      first === undefined ||
      units.some((unit) => paths.some(({ target, lun }) => target === unit.target && lun === unit.lun))
    )
      return;
    const guest = formatDomainRef(domain);
    throw new VolumeError(
      'DEVICE_MISMATCH',
      `Cannot take ${targetDev} of guest "${guest}" for the volume: it is called ${alias ?? 'so'}, but its device ` +
        `${sourcePath ?? ''} is LUN ${first.lun} of ${first.target}, which the connection_info does not name`,
      {
        hint:
          'another volume has taken its place by a swap: name that one, with the connection_info that the swap ' +
          'was given for it',
        details: { guest, targetDev, device: sourcePath, target: first.target, lun: first.lun },
      },
    );
  }
}
