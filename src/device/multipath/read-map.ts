import type { FileSystem } from '../../host/file-system.js';
import type { DevicePath, MapId, MultipathMap, ScsiDisk } from '../block-device.js';
import { readDiskAt } from '../find-disk.js';

const BLOCK = '/sys/class/block';
const SECTOR = 512;
/**
 * multipath-tools, libmultipath/devmapper.c, UUID_PREFIX. An LVM volume or a dm-crypt on the disk has another, and is
 * no map.
 */
const UUID_PREFIX = 'mpath-';
/** kpartx's maps over the partitions that a guest made (multipath-tools, kpartx/devmapper.c: `part1-mpath-3600…`). */
const PARTITION_UUID = /^part\d+-mpath-/;

/** A map as sysfs shows it, whole or not. */
export interface MapView {
  readonly map: MultipathMap;
  /** Not suspended, of a size, with a node in /dev: a guest can have it. */
  readonly ready: boolean;
  /** The kernel names of all devices below it, also of those that are no whole SCSI disk, or gone. */
  readonly slaves: readonly string[];
  /** The maps over its partitions. */
  readonly partitions: readonly DevicePath[];
}

/** The multipath map over a disk: by the kernel's own word of who holds the disk, never by a name. */
export async function readMapOver(disk: Pick<ScsiDisk, 'path'>, files: FileSystem): Promise<MapView | undefined> {
  for (const holder of await files.list(`${BLOCK}/${kernelNameOf(disk)}/holders`)) {
    const view = await readMap(holder, files);
    if (view !== undefined) return view;
  }
  return undefined;
}

/** The map of that kernel name, such as `dm-0`. @returns `undefined` when it is no multipath map */
export async function readMap(name: string, files: FileSystem): Promise<MapView | undefined> {
  const folder = `${BLOCK}/${name}`;
  const [uuid, mapName, sectors, suspended, slaves, holders, node] = await Promise.all([
    files.readText(`${folder}/dm/uuid`),
    files.readText(`${folder}/dm/name`),
    files.readText(`${folder}/size`),
    files.readText(`${folder}/dm/suspended`),
    files.list(`${folder}/slaves`),
    files.list(`${folder}/holders`),
    files.kind(`/dev/${name}`),
  ]);
  if (uuid === undefined || mapName === undefined || !uuid.startsWith(UUID_PREFIX)) return undefined;
  const [disks, partitions] = await Promise.all([
    Promise.all(slaves.map((slave) => readDiskAt(`${BLOCK}/${slave}`, files))),
    partitionsAmong(holders, files),
  ]);
  const members = disks.filter((disk) => disk !== undefined);
  const sizeBytes = Number(sectors ?? '0') * SECTOR;
  return {
    map: {
      kind: 'multipath',
      path: `/dev/${name}` as DevicePath,
      name: mapName,
      id: uuid.slice(UUID_PREFIX.length) as MapId,
      wwid: members.find(({ wwid }) => wwid !== undefined)?.wwid,
      sizeBytes,
      members,
    },
    ready: suspended === '0' && sizeBytes > 0 && node === 'block-device',
    slaves,
    partitions,
  };
}

/**
 * The maps of these ids, whatever is below them.
 * @param mapped the kernel names of the device-mapper devices; all of the host's when absent
 */
export async function readMapsOf(
  ids: readonly MapId[],
  files: FileSystem,
  mapped?: readonly string[],
): Promise<readonly MapView[]> {
  if (ids.length === 0) return [];
  const names = mapped ?? (await files.list(BLOCK)).filter((name) => /^dm-\d+$/.test(name));
  const uuids = await Promise.all(names.map(async (name) => await files.readText(`${BLOCK}/${name}/dm/uuid`)));
  const wanted = new Set(ids.map((id) => `${UUID_PREFIX}${id}`));
  const views = await Promise.all(
    names.filter((_name, index) => wanted.has(uuids[index] ?? '')).map(async (name) => await readMap(name, files)),
  );
  return views.filter((view) => view !== undefined);
}

async function partitionsAmong(holders: readonly string[], files: FileSystem): Promise<readonly DevicePath[]> {
  const uuids = await Promise.all(holders.map((holder) => files.readText(`${BLOCK}/${holder}/dm/uuid`)));
  return holders
    .filter((_holder, index) => PARTITION_UUID.test(uuids[index] ?? ''))
    .map((holder) => `/dev/${holder}` as DevicePath);
}

/** Such as `dm-0` or `sda`. */
export function kernelNameOf({ path }: { readonly path: DevicePath }): string {
  return path.slice('/dev/'.length);
}
