import type { Lun } from '../connection/lun.js';
import type { FileSystem } from '../host/file-system.js';
import type { Session } from '../initiator/session.js';
import type { DevicePath, ScsiDisk } from './block-device.js';
import { formatScsiAddress, parseScsiAddress, type ScsiAddress } from './scsi-address.js';
import { parseSysfsWwid } from './wwid.js';

/**
 * sysfs counts a block device's size in sectors of 512 bytes whatever its block size (Linux,
 * Documentation/ABI/stable/sysfs-block).
 */
const SECTOR = 512;

/**
 * The addresses of all logical units that the kernel shows on a session: its own, and other volumes' on the same
 * target.
 */
export async function unitsOn(session: Session, files: FileSystem): Promise<readonly ScsiAddress[]> {
  const targets = (await files.list(session.devicePath)).filter((name) => /^target\d+:\d+:\d+$/.test(name));
  const names = await Promise.all(targets.map((target) => files.list(`${session.devicePath}/${target}`)));
  return names.flat().flatMap((name) => parseScsiAddress(name) ?? []);
}

/**
 * The disk of one LUN, found by walking sysfs below the session: never by a name of /dev/disk/by-path, which depends on
 * udev.
 * @returns `undefined` while the disk is not whole: no block device, no node in /dev, or a size of 0
 */
export async function findDisk(session: Session, lun: Lun, files: FileSystem): Promise<ScsiDisk | undefined> {
  return (await findUnit(session, lun, files))?.disk;
}

/** A logical unit, and its disk once that is whole. */
export interface LogicalUnit {
  readonly address: ScsiAddress;
  /** The block device, whole or not: somebody may have it open even while the kernel gives its size as 0. */
  readonly path: DevicePath | undefined;
  readonly disk: ScsiDisk | undefined;
}

export async function findUnit(session: Session, lun: Lun, files: FileSystem): Promise<LogicalUnit | undefined> {
  const address = (await unitsOn(session, files)).find((unit) => unit.lun === String(lun));
  return address === undefined ? undefined : await readUnit(session, address, files);
}

export async function readUnit(session: Session, address: ScsiAddress, files: FileSystem): Promise<LogicalUnit> {
  const [name] = await files.list(`${unitPath(session, address)}/block`);
  const path = name === undefined ? undefined : (`/dev/${name}` as DevicePath);
  return {
    address,
    path,
    disk: name === undefined ? undefined : await readDiskAt(`${unitPath(session, address)}/block/${name}`, files),
  };
}

/** The folder of a logical unit in sysfs. */
export function unitPath({ devicePath }: Session, address: ScsiAddress): string {
  return `${devicePath}/target${address.host}:${address.channel}:${address.target}/${formatScsiAddress(address)}`;
}

/**
 * The disk whose folder this is, by its real path or by a link such as /sys/class/block/sda.
 * @returns `undefined` while it is not whole, and for a block device that is no SCSI disk
 */
export async function readDiskAt(folder: string, files: FileSystem): Promise<ScsiDisk | undefined> {
  const [, unit, place, name] =
    /^(.*\/(\d+:\d+:\d+:\d+))\/block\/([^/]+)$/.exec((await files.realPath(folder)) ?? '') ?? [];
  const address = parseScsiAddress(place ?? '');
  if (unit === undefined || name === undefined || address === undefined) return undefined;
  const path = `/dev/${name}` as DevicePath;
  const [node, sectors, wwid] = await Promise.all([
    files.kind(path),
    files.readText(`${unit}/block/${name}/size`),
    files.readText(`${unit}/wwid`),
  ]);
  const sizeBytes = Number(sectors ?? '0') * SECTOR;
  if (node !== 'block-device' || sizeBytes === 0) return undefined;
  return { kind: 'disk', path, address, wwid: wwid === undefined ? undefined : parseSysfsWwid(wwid), sizeBytes };
}
