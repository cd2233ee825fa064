import type { NonEmpty } from '../base/brand.js';
import { isVolumeError } from '../base/volume-error.js';
import type { TargetName } from '../connection/target-name.js';
import { isPortalName } from '../connection/portal-name.js';
import type { MapId } from '../device/block-device.js';
import { isAmong } from '../device/disk-place.js';
import type { LinuxBlockDevices } from '../device/linux-block-devices.js';
import { stableNamesOf } from '../device/stable-names.js';
import { parseMapId } from '../device/multipath/multipathd.js';
import type { MultipathMaps } from '../device/multipath/multipath-maps.js';
import type { TargetUnit } from '../device/units-behind.js';
import type { DisksOfGuest, GuestDisks } from '../guest/guest-disks.js';
import { userAlias } from '../disk/disk-config.js';
import type { DeviceUser } from '../host/device-users.js';
import type { Processes, ProcessIdentity } from '../host/processes.js';
import type { DiscoveryDatabase } from '../initiator/discovery/discovery-database.js';
import type { OpenIscsiInitiator } from '../initiator/open-iscsi-initiator.js';
import { isSessionOf, type SessionKey } from '../initiator/session.js';
import { observeVolume, type VolumeView } from '../volume/observe-volume.js';
import type { NotedUnit } from '../volume/notes/volume-note.js';
import type { VolumeNotes } from '../volume/notes/volume-notes.js';
import { connectionOf } from '../volume/volume-units.js';
import { type FoundMapId, type FoundRecord, type FoundVolume, notedTargets, type Remains } from './remains.js';

export interface RemainsParts {
  readonly initiator: OpenIscsiInitiator;
  readonly devices: LinuxBlockDevices;
  readonly maps: MultipathMaps;
  readonly notes: VolumeNotes;
  readonly discoveries: DiscoveryDatabase;
  readonly guestDisks: GuestDisks;
  readonly processes: Processes;
}

/** What is noted of one volume, of its arrival and of it itself. */
export interface Noted {
  readonly volumeId: string | undefined;
  readonly wwid: string | undefined;
  readonly units: NonEmpty<NotedUnit>;
  readonly isArriving: boolean;
  readonly owner: ProcessIdentity | undefined;
}

/** Ids first, notes then: what is noted between the two looks is no leftover. */
export async function readRemains(parts: RemainsParts, signal: AbortSignal): Promise<Remains> {
  const { discoveries, initiator, maps } = parts;
  const ids = await maps.enteredIds();
  const lent = await initiator.lentRecords();
  const own = await discoveries.all();
  const targets = await initiator.recordedTargets();
  const noted = await readNoted(parts);
  const guests = await readGuests(parts, signal);
  const volumes: FoundVolume[] = [];
  for (const one of noted) volumes.push(await readVolume(one, guests, parts, signal));
  const withNotes = notedTargets(volumes);
  const records: FoundRecord[] = [];
  for (const target of targets) if (!withNotes.has(target)) records.push(...(await readRecords(target, parts)));
  return { volumes, records, lent, discoveries: own, mapIds: await readMapIds(ids, volumes, parts, signal) };
}

/** Every volume of which there is a note, once. */
export async function readNoted({ notes }: Pick<RemainsParts, 'notes'>): Promise<readonly Noted[]> {
  const volumes = (await notes.all()).map((note): Noted => ({ ...note, isArriving: false }));
  const arrivals = (await notes.allArrivals()).map(({ arrived, ...note }): Noted => ({
    ...note,
    wwid: undefined,
    isArriving: !arrived,
  }));
  const merged = volumes.map((volume) => {
    const arrival = arrivals.find(({ units }) => units.some((unit) => isAmong(volume.units, unit)));
    return arrival === undefined ? volume : { ...volume, isArriving: arrival.isArriving };
  });
  return [...merged, ...arrivals.filter(({ units }) => !units.some((unit) => isNoted(unit, volumes)))];
}

function isNoted(unit: TargetUnit, volumes: readonly Noted[]): boolean {
  return volumes.some(({ units }) => isAmong(units, unit));
}

/** `undefined` where libvirt cannot be asked. */
export async function readGuests(
  { guestDisks }: Pick<RemainsParts, 'guestDisks'>,
  signal: AbortSignal,
): Promise<readonly DisksOfGuest[] | undefined> {
  try {
    return await guestDisks.all(signal);
  } catch (error) {
    if (isVolumeError(error, 'LIBVIRT_UNAVAILABLE')) return undefined;
    throw error;
  }
}

export async function readVolume(
  { volumeId, wwid, units, isArriving, owner }: Noted,
  guests: readonly DisksOfGuest[] | undefined,
  parts: RemainsParts,
  signal: AbortSignal,
): Promise<FoundVolume> {
  const connection = connectionOf({ volumeId, units });
  const view = connection === undefined ? undefined : await observeVolume(connection, [], parts, wwid);
  const runs = owner !== undefined && !(await parts.processes.hasEnded(owner));
  return {
    volumeId,
    wwid,
    units,
    isArriving,
    runningOwner: runs ? owner.pid : undefined,
    view,
    users: view === undefined ? [] : await usersOf(view, parts, signal),
    guests: guests?.filter(({ disks }) => hasVolume(disks, { volumeId, wwid, view })).map(({ guest }) => guest),
  };
}

/** By its alias, or by whatever name its devices may have in a description. */
function hasVolume(
  disks: DisksOfGuest['disks'],
  {
    volumeId,
    wwid,
    view,
  }: {
    readonly volumeId: string | undefined;
    readonly wwid: string | undefined;
    readonly view: VolumeView | undefined;
  },
): boolean {
  const alias = volumeId === undefined ? undefined : userAlias(volumeId);
  const lasting = (['multipath', 'disk'] as const).flatMap((kind) =>
    stableNamesOf({ kind, wwid: (wwid ?? undefined) as Parameters<typeof stableNamesOf>[0]['wwid'] }),
  );
  const names = new Set<string>([
    ...lasting,
    ...(view?.map === undefined ? [] : [view.map.path, ...stableNamesOf(view.map)]),
    ...(view?.paths.flatMap(({ unit }) => unit?.path ?? []) ?? []),
  ]);
  return disks.some(
    (disk) =>
      (alias !== undefined && disk.alias === alias) ||
      [disk.sourcePath, disk.mirror?.sourcePath].some((path) => path !== undefined && names.has(path)),
  );
}

async function usersOf(
  { map, paths }: VolumeView,
  { devices, maps }: RemainsParts,
  signal: AbortSignal,
): Promise<readonly DeviceUser[]> {
  const members = new Set(map?.members.map(({ path }) => path));
  const found = [...(map === undefined ? [] : await maps.usersNow(map, signal))];
  for (const { session, unit } of paths) {
    if (session === undefined || unit?.path === undefined || members.has(unit.path)) continue;
    found.push(...(await devices.usersNow({ path: unit.path }, signal)));
  }
  return found;
}

/** The records of ours, of a target of which there is no note. */
export async function readRecords(
  target: TargetName,
  { devices, initiator }: Pick<RemainsParts, 'devices' | 'initiator'>,
): Promise<readonly FoundRecord[]> {
  const own = await initiator.ownRecordsOf(target);
  if (own.length === 0) return [];
  const sessions = await initiator.sessions();
  const keys = own.flatMap(({ iface, portals: [portal] }): readonly SessionKey[] =>
    portal === undefined || isPortalName(portal) ? [] : [{ target, portal, iface }],
  );
  return await Promise.all(
    keys.map(async (key) => {
      const session = sessions.find((candidate) => isSessionOf(candidate, key));
      return {
        key,
        session,
        units: session === undefined ? 0 : await devices.countUnits(session),
        logoutPolicy: await initiator.logoutPolicy(key),
      };
    }),
  );
}

async function readMapIds(
  ids: readonly MapId[],
  volumes: readonly FoundVolume[],
  { maps }: RemainsParts,
  signal: AbortSignal,
): Promise<readonly FoundMapId[]> {
  const named = new Set<MapId | undefined>(
    volumes.flatMap(({ wwid, view }) => [
      view?.note?.mapId,
      view?.map?.id,
      wwid === undefined ? undefined : parseMapId(wwid),
    ]),
  );
  return await Promise.all(
    ids
      .filter((id) => !named.has(id))
      .map(async (id) => {
        const [map] = await maps.ofIds([id]);
        return { id, map, users: map === undefined ? [] : await maps.usersOf(map, signal) };
      }),
  );
}
