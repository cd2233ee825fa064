import { VolumeError } from '../base/volume-error.js';
import { isStuckWrite } from '../host/kernel-writes.js';
import type { ObserverParts, PathView, VolumeView } from './observe-volume.js';

export type IdentityParts = ObserverParts;

/**
 * That every unit and the map are the volume that the caller means, and not what has come to stand at the same target
 * and LUN: on another host, or since the storage mapped the LUN to another volume. The kernel goes by what it read at
 * the first scan, so each path that is up is asked anew.
 * @param wwid as connect() gave it
 * @throws {VolumeError} `DEVICE_MISMATCH` naming both, also for a unit that reports no WWID. Nothing was touched
 */
export async function verifyIdentity(
  { paths, map, mapWwid }: VolumeView,
  wwid: string,
  parts: IdentityParts,
  signal: AbortSignal,
): Promise<void> {
  const shown = await Promise.all(paths.map(async (path) => await identityOf(path, parts, signal)));
  const other = [...shown.flat(), ...identityOfMap(map, mapWwid)].find((one) => one.wwid !== wwid);
  if (other === undefined) return;
  throw new VolumeError(
    'DEVICE_MISMATCH',
    `Cannot disconnect the volume: ${other.device} ` +
      `${other.wwid === undefined ? 'reports no WWID' : `is ${other.wwid}`}; expected ${wwid}`,
    {
      hint:
        'nothing was touched: the connection_info is of another host, or the storage has put another volume ' +
        'under the LUN',
      details: { device: other.device, found: other.wwid, expected: wwid },
    },
  );
}

interface Identity {
  readonly device: string;
  readonly wwid: string | undefined;
}

/**
 * A map is who it was made of. Where that was not kept, it is its paths; its id is multipathd's affair, and speaks for
 * a map that has none.
 */
function identityOfMap(map: VolumeView['map'], mapWwid: VolumeView['mapWwid']): readonly Identity[] {
  return map === undefined
    ? []
    : [{ device: map.path, wwid: mapWwid ?? (map.members.length === 0 ? map.id : map.wwid) }];
}

async function identityOf(
  { session, lun, unit }: PathView,
  { devices }: IdentityParts,
  signal: AbortSignal,
): Promise<readonly Identity[]> {
  if (session === undefined || unit === undefined) return [];
  const { disk } = unit;
  if (disk === undefined) return [{ device: unit.path ?? `LUN ${lun} of ${session.target}`, wwid: undefined }];
  if (session.state !== 'LOGGED_IN') return [{ device: disk.path, wwid: disk.wwid }];
  try {
    const now = (await devices.refresh(session, lun, disk, signal)) ?? disk;
    return [{ device: now.path, wwid: now.wwid }];
  } catch (error) {
    // a path that says nothing is taken for what the kernel knows of it
    if (!isStuckWrite(error)) throw error;
    return [{ device: disk.path, wwid: disk.wwid }];
  }
}
