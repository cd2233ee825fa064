import type { FileSystem } from '../host/file-system.js';
import { parseSysfsWwid, type Wwid } from './wwid.js';

const BLOCK = '/sys/class/block';

/** What this host has by the name of one volume, whosever it is. */
export interface Namesakes {
  /** The kernel names of all SCSI disks with the WWID; none for a disk that has none. */
  readonly disks: readonly string[];
  /** The kernel names of all device-mapper devices, of whatever kind. */
  readonly mapped: readonly string[];
}

/** Looks at every SCSI disk of the host: udev's names in /dev/disk lead to one of several disks alone. */
export async function findNamesakes(wwid: Wwid | undefined, files: FileSystem): Promise<Namesakes> {
  const names = await files.list(BLOCK);
  const disks = wwid === undefined ? [] : names.filter((name) => /^sd[a-z]+$/.test(name));
  const wwids = await Promise.all(disks.map(async (name) => await wwidOf(name, files)));
  return {
    disks: disks.filter((_name, index) => wwids[index] === wwid),
    mapped: names.filter((name) => /^dm-\d+$/.test(name)),
  };
}

async function wwidOf(name: string, files: FileSystem): Promise<Wwid | undefined> {
  const text =
    (await files.readText(`${BLOCK}/${name}/device/wwid`)) ??
    (await wwidBelow(await files.realPath(`${BLOCK}/${name}`), files));
  return text === undefined ? undefined : parseSysfsWwid(text);
}

/** A disk's folder is `…/H:C:T:L/block/sda`, and `device` in it is a link to the unit's. */
async function wwidBelow(folder: string | undefined, files: FileSystem): Promise<string | undefined> {
  const [, unit] = /^(.*)\/block\/[^/]+$/.exec(folder ?? '') ?? [];
  return unit === undefined ? undefined : await files.readText(`${unit}/wwid`);
}
