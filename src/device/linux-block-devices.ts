import type { Logger } from '../base/logger.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import { formatPortal } from '../connection/portal.js';
import type { Lun } from '../connection/lun.js';
import type { Clock } from '../host/clock.js';
import type { DeviceUser, DeviceUsers } from '../host/device-users.js';
import type { FileSystem } from '../host/file-system.js';
import { DELETE_MS, isStuckWrite, KernelWrites } from '../host/kernel-writes.js';
import { pollUntil } from '../host/poll-until.js';
import type { Session } from '../initiator/session.js';
import type { BlockDevice, ScsiDisk } from './block-device.js';
import { findDisk, findUnit, readUnit, type LogicalUnit, unitPath, unitsOn } from './find-disk.js';
import { formatScsiAddress, type ScsiAddress } from './scsi-address.js';
import { scanUnit } from './scan-unit.js';

export interface BlockDeviceParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly users: DeviceUsers;
  readonly logger: Logger;
  readonly deviceTimeoutMs: number;
}

/** udev and its helpers open a new disk for a moment; who still has it open after this uses it. */
const PASSING_USERS_MS = 2_000;
/** The first pause between two scans of a unit that is not there; each next one is twice as long. */
const FIRST_RESCAN_MS = 250;

/** The host's SCSI disks, in sysfs. */
export class LinuxBlockDevices {
  readonly #parts: BlockDeviceParts;
  readonly #writes: KernelWrites;

  constructor(parts: BlockDeviceParts) {
    this.#parts = parts;
    this.#writes = new KernelWrites(parts);
  }

  async find(session: Session, lun: Lun): Promise<ScsiDisk | undefined> {
    return await findDisk(session, lun, this.#parts.files);
  }

  /** The unit of a LUN, whole or not. */
  async findUnit(session: Session, lun: Lun): Promise<LogicalUnit | undefined> {
    return await findUnit(session, lun, this.#parts.files);
  }

  /** Every unit of the session, of whatever volume. */
  async units(session: Session): Promise<readonly LogicalUnit[]> {
    const { files } = this.#parts;
    return await Promise.all((await unitsOn(session, files)).map((address) => readUnit(session, address, files)));
  }

  /** How many logical units, of whatever volume, the session carries. */
  async countUnits(session: Session): Promise<number> {
    return (await unitsOn(session, this.#parts.files)).length;
  }

  /**
   * Scans for one unit and waits for its disk. A unit that the target shows late is scanned for again, with growing
   * pauses. One that the kernel has is asked anew instead, for a scan passes it over (drivers/scsi/scsi_scan.c,
   * scsi_probe_and_add_lun): its size may be 0 since the first scan, or its session was down.
   * @param before the unit as the kernel has it already
   * @throws {VolumeError} `DEVICE_NOT_FOUND` after `device_timeout_seconds`; as write()
   */
  async appear(session: Session, lun: Lun, signal: AbortSignal, before?: LogicalUnit): Promise<ScsiDisk> {
    const { clock, deviceTimeoutMs, files, logger } = this.#parts;
    const deadline = clock.now() + deviceTimeoutMs;
    let unit = before;
    const look = async (): Promise<ScsiDisk | undefined> => {
      unit = await this.findUnit(session, lun);
      return unit?.disk;
    };
    for (let pause = FIRST_RESCAN_MS; ; pause *= 2) {
      if (unit === undefined) await scanUnit(session, lun, { files, writes: this.#writes }, signal);
      else await this.#rescan(session, unit, signal);
      const timeoutMs = Math.min(pause, Math.max(0, deadline - clock.now()));
      const disk = await pollUntil(look, { clock, timeoutMs, signal });
      if (disk !== undefined) {
        logger.info('Disk appeared', {
          path: disk.path,
          wwid: disk.wwid,
          sizeBytes: disk.sizeBytes,
          session: session.id,
          lun,
        });
        return disk;
      }
      if (clock.now() >= deadline) throw notFound(session, lun, unit, deviceTimeoutMs);
    }
  }

  /**
   * Makes the kernel ask a disk that was there before who it is now: the array may have mapped another volume to the
   * LUN since, and the kernel goes by what it read at the first scan (drivers/scsi/scsi.c, scsi_attach_vpd;
   * scsi_rescan_device reads it anew). A disk of a session that is down says nothing new: the kernel ends the rescan at
   * once and keeps what it has.
   * @throws {VolumeError} as write()
   */
  async refresh(session: Session, lun: Lun, disk: ScsiDisk, signal: AbortSignal): Promise<ScsiDisk | undefined> {
    await this.#rescan(session, disk, signal);
    return await this.find(session, lun);
  }

  async #rescan(session: Session, { address }: Pick<LogicalUnit, 'address'>, signal: AbortSignal): Promise<void> {
    await unlessVanished(this.#writes.write('rescan', unitPath(session, address), '1', signal), signal);
  }

  /** Who has the disk open, or one of its partitions, once those that only pass by are gone. */
  async usersOf(
    session: Session,
    disk: Pick<ScsiDisk, 'path' | 'address'>,
    signal: AbortSignal,
  ): Promise<readonly DeviceUser[]> {
    const { clock, users } = this.#parts;
    const name = disk.path.slice('/dev/'.length);
    const known = await this.#numbersIn(`${unitPath(session, disk.address)}/block/${name}`, name);
    let present: readonly DeviceUser[] = [];
    await pollUntil(
      async () => {
        present = await users.usersOf(disk.path, known, signal);
        return present.length === 0 ? true : undefined;
      },
      { clock, timeoutMs: PASSING_USERS_MS, signal },
    );
    return present;
  }

  /** Who has the disk open at this moment, or one of its partitions, those that only pass by among them. */
  async usersNow({ path }: Pick<ScsiDisk, 'path'>, signal: AbortSignal): Promise<readonly DeviceUser[]> {
    const name = path.slice('/dev/'.length);
    return await this.#parts.users.usersOf(path, await this.#numbersIn(`/sys/class/block/${name}`, name), signal);
  }

  /** `major:minor` of the disk with that folder, and of its partitions. */
  async #numbersIn(block: string, name: string): Promise<readonly string[]> {
    const { files } = this.#parts;
    const partitions = (await files.list(block)).filter((entry) => entry.startsWith(name));
    const numbers = await Promise.all(
      [block, ...partitions.map((entry) => `${block}/${entry}`)].map((folder) => files.readText(`${folder}/dev`)),
    );
    return numbers.filter((number) => number !== undefined);
  }

  /** Writes what is still in memory out to the device. @throws {VolumeError} `FLUSH_FAILED`: nothing was removed */
  async flush({ path }: Pick<BlockDevice, 'path'>, signal: AbortSignal): Promise<void> {
    try {
      await this.#writes.flush(path, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw new VolumeError('FLUSH_FAILED', `Cannot write the data that is still in memory out to ${path}`, {
        cause: error,
        hint: 'the device was left as it is; --force gives the data up',
      });
    }
  }

  /**
   * Takes the unit from the kernel and waits until it is gone. Its data must be flushed before.
   * @throws {VolumeError} `CLEANUP_INCOMPLETE` when it stays, or the kernel does not return from the delete
   */
  async remove(session: Session, address: ScsiAddress, signal: AbortSignal): Promise<void> {
    const { clock, files, logger } = this.#parts;
    const unit = unitPath(session, address);
    try {
      await unlessVanished(this.#writes.write('delete', unit, '1', signal), signal);
    } catch (error) {
      throw isStuckWrite(error) ? stillThere(address, error) : error;
    }
    const gone = await pollUntil(async () => ((await files.kind(unit)) === undefined ? true : undefined), {
      clock,
      timeoutMs: DELETE_MS,
      signal,
    });
    if (gone !== true)
      throw new VolumeError(
        'CLEANUP_INCOMPLETE',
        `Cannot remove the disk at ${formatScsiAddress(address)}: the kernel still shows it after ` +
          `${DELETE_MS / 1000} s`,
      );
    logger.info('Disk removed', { address: formatScsiAddress(address), session: session.id });
  }
}

/** A unit may go by itself between the look and the write. What follows looks again. */
async function unlessVanished(write: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (signal.aborted || !isVolumeError(error, 'DEVICE_NOT_FOUND')) throw error;
  }
}

function stillThere(address: ScsiAddress, cause: VolumeError): VolumeError {
  const device = formatScsiAddress(address);
  return new VolumeError(
    'CLEANUP_INCOMPLETE',
    `Cannot remove the disk at ${device}: the kernel has not ended its delete, and the disk and its session are left`,
    { cause, hint: 'disconnect again once the kernel has ended it', details: { ...cause.details, device } },
  );
}

function notFound(session: Session, lun: Lun, unit: LogicalUnit | undefined, timeoutMs: number): VolumeError {
  if (unit !== undefined) return notWhole(session, lun, unit, timeoutMs);
  return new VolumeError(
    'DEVICE_NOT_FOUND',
    `Cannot find LUN ${lun} of ${session.target} at ${formatPortal(session.portal)}: the target shows no such disk ` +
      `after ${timeoutMs / 1000} s`,
    {
      hint: 'check that the volume is exported to this initiator (/etc/iscsi/initiatorname.iscsi) under this LUN',
      details: { target: session.target, portal: formatPortal(session.portal), lun },
    },
  );
}

/** A disk whose target is not ready, or refuses to give its size. */
function notWhole(session: Session, lun: Lun, { address, path }: LogicalUnit, timeoutMs: number): VolumeError {
  const portal = formatPortal(session.portal);
  const [what, fact] =
    path === undefined
      ? [formatScsiAddress(address), 'it has no block device']
      : [path, 'it has a size of 0 bytes, or no node in /dev,'];
  return new VolumeError(
    'DEVICE_NOT_FOUND',
    `Cannot use ${what}, LUN ${lun} of ${session.target} at ${portal}: ${fact} after ${timeoutMs / 1000} s`,
    {
      hint: 'check that the storage has the volume online; dmesg has what the disk said',
      details: { target: session.target, portal, lun, ...(path === undefined ? {} : { device: path, sizeBytes: 0 }) },
    },
  );
}
