import type { Logger } from '../base/logger.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import { formatPortal } from '../connection/portal.js';
import type { Lun } from '../connection/lun.js';
import type { Clock } from '../host/clock.js';
import type { DeviceUser, DeviceUsers } from '../host/device-users.js';
import type { FileSystem } from '../host/file-system.js';
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
/** A delete waits for I/O in flight: the SCSI timeout is 30 s (Linux, drivers/scsi/sd.h, SD_TIMEOUT). */
const DELETE_MS = 40_000;
/**
 * Longer than a session's replacement timeout (120 s): after that a dead path fails its I/O, and only a map that queues
 * would still wait.
 */
const FLUSH_MS = 180_000;
/** The first pause between two scans of a unit that is not there; each next one is twice as long. */
const FIRST_RESCAN_MS = 250;

/** The host's SCSI disks, in sysfs. */
export class LinuxBlockDevices {
  readonly #parts: BlockDeviceParts;

  constructor(parts: BlockDeviceParts) {
    this.#parts = parts;
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
   * pauses.
   * @throws {VolumeError} `DEVICE_NOT_FOUND` after `device_timeout_seconds`
   */
  async appear(session: Session, lun: Lun, signal: AbortSignal): Promise<ScsiDisk> {
    const { clock, deviceTimeoutMs, files, logger } = this.#parts;
    const deadline = clock.now() + deviceTimeoutMs;
    for (let pause = FIRST_RESCAN_MS; ; pause *= 2) {
      await scanUnit(session, lun, files, signal);
      const timeoutMs = Math.min(pause, Math.max(0, deadline - clock.now()));
      const disk = await pollUntil(() => this.find(session, lun), { clock, timeoutMs, signal });
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
      if (clock.now() >= deadline) throw notFound(session, lun, deviceTimeoutMs);
    }
  }

  /**
   * Makes the kernel ask a disk that was there before who it is now: the array may have mapped another volume to the
   * LUN since, and the kernel goes by what it read at the first scan (drivers/scsi/scsi.c, scsi_attach_vpd;
   * scsi_rescan_device reads it anew).
   */
  async refresh(session: Session, lun: Lun, disk: ScsiDisk, signal: AbortSignal): Promise<ScsiDisk | undefined> {
    await unlessVanished(this.#parts.files.writeAttribute(`${unitPath(session, disk.address)}/rescan`, '1', signal));
    return await this.find(session, lun);
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
      await this.#parts.files.syncDevice(path, AbortSignal.any([signal, AbortSignal.timeout(FLUSH_MS)]));
    } catch (error) {
      if (signal.aborted) throw error;
      throw new VolumeError('FLUSH_FAILED', `Cannot write the data that is still in memory out to ${path}`, {
        cause: error,
        hint: 'the device was left as it is; --force gives the data up',
      });
    }
  }

  /** Takes the unit from the kernel and waits until it is gone. Its data must be flushed before. */
  async remove(session: Session, address: ScsiAddress, signal: AbortSignal): Promise<void> {
    const { clock, files, logger } = this.#parts;
    const unit = unitPath(session, address);
    await unlessVanished(files.writeAttribute(`${unit}/delete`, '1', signal));
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
async function unlessVanished(write: Promise<void>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isVolumeError(error, 'DEVICE_NOT_FOUND')) throw error;
  }
}

function notFound(session: Session, lun: Lun, timeoutMs: number): VolumeError {
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
