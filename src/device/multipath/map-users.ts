import type { Clock } from '../../host/clock.js';
import type { DeviceUser, DeviceUsers } from '../../host/device-users.js';
import type { FileSystem } from '../../host/file-system.js';
import { pollUntil } from '../../host/poll-until.js';
import type { DevicePath, MultipathMap } from '../block-device.js';
import { kernelNameOf, type MapView, readMap } from './read-map.js';

export interface MapUsersParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly users: DeviceUsers;
}

/** udev and its helpers open a new map for a moment; who still has it open after this uses it. */
const PASSING_USERS_MS = 2_000;

/**
 * Who has the map, or a partition on it, or one of its paths open, once those that only pass by are gone. The map's own
 * hold on its paths is none.
 */
export async function usersOfMap(
  map: MultipathMap,
  parts: MapUsersParts,
  signal: AbortSignal,
): Promise<readonly DeviceUser[]> {
  let present: readonly DeviceUser[] = [];
  await pollUntil(
    async () => {
      present = await usersNow(map, parts, signal);
      return present.length === 0 ? true : undefined;
    },
    { clock: parts.clock, timeoutMs: PASSING_USERS_MS, signal },
  );
  return present;
}

/**
 * Who has it open at this moment, those that only pass by among them: one question for the map and its paths. Where
 * another device is over the map, such as a partition, each is asked.
 */
export async function mapUsersNow(
  map: MultipathMap,
  parts: MapUsersParts,
  signal: AbortSignal,
): Promise<readonly DeviceUser[]> {
  const { files, users } = parts;
  if ((await files.list(`/sys/class/block/${kernelNameOf(map)}/holders`)).length > 0)
    return await usersNow(map, parts, signal);
  const numbers = await Promise.all(
    [map, ...map.members].map(({ path }) => files.readText(`/sys/class/block/${kernelNameOf({ path })}/dev`)),
  );
  const known = numbers.filter((number) => number !== undefined);
  return await users.usersOf(map.path, known, signal);
}

async function usersNow(map: MultipathMap, parts: MapUsersParts, signal: AbortSignal): Promise<readonly DeviceUser[]> {
  const now = await readMap(kernelNameOf(map), parts.files);
  const view: Pick<MapView, 'map' | 'partitions'> = now?.map.id === map.id ? now : { map, partitions: [] };
  const tops = view.partitions.length === 0 ? [map.path] : view.partitions;
  const below = [...(tops.includes(map.path) ? [] : [map.path]), ...view.map.members.map(({ path }) => path)];
  const users = await Promise.all([
    ...tops.map(async (path) => await usersAt(path, parts, signal)),
    ...below.map(async (path) => (await usersAt(path, parts, signal)).filter(({ pid }) => pid !== 0)),
  ]);
  return users
    .flat()
    .filter((user, index, all) => all.findIndex(({ pid, name }) => pid === user.pid && name === user.name) === index);
}

async function usersAt(
  path: DevicePath,
  { files, users }: MapUsersParts,
  signal: AbortSignal,
): Promise<readonly DeviceUser[]> {
  const number = await files.readText(`/sys/class/block/${kernelNameOf({ path })}/dev`);
  return await users.usersOf(path, number === undefined ? [] : [number], signal);
}
