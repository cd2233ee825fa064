import type { Logger } from '../../base/logger.js';
import { VolumeError } from '../../base/volume-error.js';
import type { MultipathMap, ScsiDisk } from '../../device/block-device.js';
import type { Wwid } from '../../device/wwid.js';
import type { DeviceUser } from '../../host/device-users.js';
import type { ObserverParts, PathView, VolumeView } from '../observe-volume.js';
import type { VolumePath } from './path-opener.js';
import { requireOneVolume } from '../require-one-volume.js';
import { mapOfAnother } from '../strange-members.js';

export interface PresenceParts extends ObserverParts {
  readonly logger: Logger;
}

/** The paths of a volume that are there, in the order in which they were looked for. */
export function presentPaths({ paths }: VolumeView): readonly VolumePath[] {
  return paths.flatMap((view) => asOpenPath(view, view.unit?.disk));
}

/**
 * The paths that are there, once each disk has said again who it is. Where the array has put another volume under the
 * LUN since, a disk that somebody still uses is refused, and one that nobody uses is taken away, so that it comes anew
 * as what it is.
 * @throws {VolumeError} `DEVICE_MISMATCH`
 */
export async function refreshedPaths(
  view: VolumeView,
  parts: PresenceParts,
  signal: AbortSignal,
): Promise<readonly VolumePath[]> {
  const asked = await Promise.all(
    view.paths.map(async (path) => ({ path, now: await refreshed(path, parts, signal) })),
  );
  const changed = asked.flatMap(({ path: { session, unit }, now }) => {
    if (session === undefined || unit?.disk === undefined || now === undefined) return [];
    const before = view.knownWwid ?? unit.disk.wwid;
    return now.wwid === before ? [] : [{ session, before, now }];
  });
  if (changed.length === 0) {
    const present = asked.flatMap(({ path, now }) => asOpenPath(path, now));
    requireOneVolume(present.map(({ disk }) => disk));
    return present;
  }
  const isMember = (disk: ScsiDisk): boolean => view.map?.members.some(({ path }) => path === disk.path) === true;
  for (const { session, before, now } of changed) {
    const users =
      view.map !== undefined && isMember(now)
        ? await parts.maps.usersOf(view.map, signal)
        : await parts.devices.usersOf(session, now, signal);
    if (users.length > 0) throw mismatch(before, now, users);
  }
  if (view.map !== undefined && (view.map.members.length === 0 || changed.some(({ now }) => isMember(now))))
    await removeMap(view.map, view, parts, signal);
  for (const { session, before, now } of changed) {
    parts.logger.warn('Another volume is under a LUN that was left behind', { path: now.path, before, now: now.wwid });
    await parts.devices.remove(session, now.address, signal);
  }
  return asked.flatMap(({ path, now }) => (changed.some((one) => one.now === now) ? [] : asOpenPath(path, now)));
}

/** Of what was there before. */
async function removeMap(
  map: MultipathMap,
  { note }: VolumeView,
  { maps }: PresenceParts,
  signal: AbortSignal,
): Promise<void> {
  if (map.members.length === 0) {
    const users = await maps.usersOf(map, signal);
    if (users.length > 0) throw mapOfAnother({ path: map.path, wwid: undefined }, map, users);
    await maps.stopQueueing(map, signal);
  }
  await maps.remove(map, signal);
  await maps.forgetIds([map.id, ...(note?.mapId === undefined ? [] : [note.mapId])], signal);
}

async function refreshed(
  { session, lun, unit }: PathView,
  { devices }: PresenceParts,
  signal: AbortSignal,
): Promise<ScsiDisk | undefined> {
  return session === undefined || unit?.disk === undefined
    ? undefined
    : await devices.refresh(session, lun, unit.disk, signal);
}

function asOpenPath(
  { key: { target, portal }, lun, session }: PathView,
  disk: ScsiDisk | undefined,
): readonly VolumePath[] {
  return session === undefined || disk === undefined ? [] : [{ path: { target, portal, lun }, session, disk }];
}

function mismatch(before: Wwid | undefined, now: ScsiDisk, users: readonly DeviceUser[]): VolumeError {
  const names = users.map(({ name }) => name).join(', ');
  return new VolumeError(
    'DEVICE_MISMATCH',
    `Cannot use ${now.path}: its LUN is now ${now.wwid ?? 'a unit without a WWID'}, and ${names} has it open as ` +
      (before ?? 'a unit without a WWID'),
    {
      hint: 'the storage put another volume under a LUN that is in use: detach what uses it first',
      details: { device: now.path, before, now: now.wwid, users },
    },
  );
}
