import type { FileSystem } from '../host/file-system.js';
import type { DevicePath, MultipathMap, ScsiDisk } from './block-device.js';
import { readDiskAt } from './find-disk.js';
import type { Wwid } from './wwid.js';

const BLOCK = '/sys/class/block';
const SECTOR = 512n;
/** multipath-tools, libmultipath/devmapper.c, UUID_PREFIX. An LVM volume or a dm-crypt on the disk has another, and is no map. */
const UUID_PREFIX = 'mpath-';
/** kpartx's maps over the partitions that a guest made (multipath-tools, kpartx/devmapper.c: `part1-mpath-3600…`). */
const PARTITION_UUID = /^part\d+-mpath-/;

/** A map as sysfs shows it, whole or not. */
export interface MapView {
  readonly map: MultipathMap;
  /** Not suspended, of a size, with a node in /dev: a guest can have it. */
  readonly ready: boolean;
  /** The maps over its partitions. */
  readonly partitions: readonly DevicePath[];
}

/** The multipath map over a disk: by the kernel's own word of who holds the disk, never by a name. */
export async function readMapOver(disk: Pick<ScsiDisk, 'path'>, files: FileSystem): Promise<MapView | undefined> {
  for (const holder of await files.list(`${BLOCK}/${nameOf(disk.path)}/holders`)) {
    const view = await readMap(holder, files);
    if (view !== undefined) return view;
  }
  return undefined;
}

/** The map of that kernel name, such as `dm-0`. @returns `undefined` when it is no multipath map */
export async function readMap(name: string, files: FileSystem): Promise<MapView | undefined> {
  const folder = `${BLOCK}/${name}`;
  const [uuid, mapName, sectors, suspended, slaves, holders, node] = await Promise.all([
    files.readText(`${folder}/dm/uuid`), files.readText(`${folder}/dm/name`), files.readText(`${folder}/size`), files.readText(`${folder}/dm/suspended`),
    files.list(`${folder}/slaves`), files.list(`${folder}/holders`), files.kind(`/dev/${name}`),
  ]);
  if (uuid === undefined || mapName === undefined || !uuid.startsWith(UUID_PREFIX)) return undefined;
  const [members, partitions] = await Promise.all([Promise.all(slaves.map((slave) => readDiskAt(`${BLOCK}/${slave}`, files))), partitionsAmong(holders, files)]);
  const sizeBytes = BigInt(sectors ?? '0') * SECTOR;
  return {
    map: { kind: 'multipath', path: `/dev/${name}` as DevicePath, name: mapName, wwid: uuid.slice(UUID_PREFIX.length) as Wwid, sizeBytes, members: members.filter((member) => member !== undefined) },
    ready: suspended === '0' && sizeBytes > 0n && node === 'block-device',
    partitions,
  };
}

async function partitionsAmong(holders: readonly string[], files: FileSystem): Promise<readonly DevicePath[]> {
  const uuids = await Promise.all(holders.map((holder) => files.readText(`${BLOCK}/${holder}/dm/uuid`)));
  return holders.filter((_holder, index) => PARTITION_UUID.test(uuids[index] ?? '')).map((holder) => `/dev/${holder}` as DevicePath);
}

function nameOf(path: DevicePath): string {
  return path.slice('/dev/'.length);
}
