import { VolumeError } from '../base/volume-error.js';
import type { MultipathMap } from '../device/block-device.js';
import type { Stranger } from '../device/disk-place.js';
import type { DeviceUser } from '../host/device-users.js';
import type { VolumeView } from './observe-volume.js';

const ONE_VOLUME =
  'where all of it is one volume, have the storage service list every target of it (target_iqns, target_luns); ' +
  'else give each volume a WWID of its own at the storage';

/**
 * That everything below the volume's map is the volume's: who writes to a map writes to any of its disks.
 * @param doing what is refused: `extend`
 * @throws {VolumeError} `DEVICE_MISMATCH`
 */
export function requireOwnMap(doing: string, { map, strangers }: Pick<VolumeView, 'map' | 'strangers'>): void {
  if (map !== undefined && strangers.length > 0) throw strangeMembers(doing, map, strangers);
}

export function strangeMembers(
  doing: string,
  { path, name, id, wwid }: MultipathMap,
  strangers: readonly Stranger[],
  users: readonly DeviceUser[] = [],
): VolumeError {
  const open = users.length === 0 ? '' : `, and ${namesOf(users)} has it open`;
  return new VolumeError(
    'DEVICE_MISMATCH',
    `Cannot ${doing} the volume: its map ${name} (${path}) has ${listOf(strangers)} below it as well${open}`,
    {
      hint: `nothing was written through it; ${ONE_VOLUME}; multipathd del path takes a disk out of a map`,
      details: {
        device: path,
        map: name,
        id,
        wwid,
        strangers: strangers.map(({ device, origin }) => ({ device, origin })),
        ...(users.length === 0 ? {} : { users }),
      },
    },
  );
}

/** Another disk of this host has the WWID, so that nothing could tell the two apart. */
export function sameWwidElsewhere(
  disk: { readonly path: string; readonly wwid: string },
  strangers: readonly Stranger[],
): VolumeError {
  return new VolumeError(
    'DEVICE_MISMATCH',
    `Cannot use ${disk.path}: its WWID ${disk.wwid} is that of ${listOf(strangers)} as well, which the ` +
      'connection_info does not name',
    {
      hint: ONE_VOLUME,
      details: {
        device: disk.path,
        wwid: disk.wwid,
        strangers: strangers.map(({ device, origin }) => ({ device, origin })),
      },
    },
  );
}

/** A map whose disks are gone and which somebody waits on: what came below it would be taken for what it was. */
export function mapOfAnother(
  disk: { readonly path: string; readonly wwid: string | undefined },
  { path, name, id }: MultipathMap,
  users: readonly DeviceUser[],
): VolumeError {
  return new VolumeError(
    'DEVICE_MISMATCH',
    `Cannot use ${disk.path}, which is ${disk.wwid ?? 'nobody'}: the map ${name} (${path}) was made of another ` +
      `volume, and ${namesOf(users)} has it open`,
    {
      hint: 'detach what uses the map first',
      details: { device: path, map: name, id, found: disk.wwid, users },
    },
  );
}

export function strangersWarnings({ name }: MultipathMap, strangers: readonly Stranger[]): readonly string[] {
  return strangers.length === 0
    ? []
    : [
        `the map ${name} has ${listOf(strangers)} below it, which the connection_info does not name: what is ` +
          'written to it may go there',
      ];
}

function listOf(strangers: readonly Stranger[]): string {
  return strangers.map(({ device, origin }) => `${device} (${origin})`).join(' and ');
}

function namesOf(users: readonly DeviceUser[]): string {
  return users.map(({ name, pid }) => (pid === 0 ? name : `${name} (pid ${pid})`)).join(', ');
}
