import type { Lun } from '../connection/lun.js';
import type { IscsiConnection } from '../connection/iscsi-connection.js';
import { isPortalName } from '../connection/portal-name.js';
import { samePortal } from '../connection/portal.js';
import type { TargetName } from '../connection/target-name.js';
import { type TargetPath, withoutRepeats } from '../connection/target-path.js';
import type { MapId, MultipathMap, ScsiDisk } from '../device/block-device.js';
import { isAmong, type Stranger } from '../device/disk-place.js';
import type { LogicalUnit } from '../device/find-disk.js';
import type { LinuxBlockDevices } from '../device/linux-block-devices.js';
import { lunOf } from '../device/scsi-address.js';
import { parseMapId } from '../device/multipath/multipathd.js';
import type { MultipathMaps } from '../device/multipath/multipath-maps.js';
import type { TargetUnit } from '../device/units-behind.js';
import type { VolumeNote } from './notes/volume-note.js';
import type { VolumeNotes } from './notes/volume-notes.js';
import type { Wwid } from '../device/wwid.js';
import type { IfaceName } from '../iface/iface-name.js';
import type { LogoutPolicy, OpenIscsiInitiator } from '../initiator/open-iscsi-initiator.js';
import { isRecordAt, type OwnRecord } from '../initiator/records/node-records.js';
import { isSessionOf, type Session, type SessionKey } from '../initiator/session.js';
import { isOfAnother, notedPaths, unitsOf, unitsWith } from './volume-units.js';

export interface ObserverParts {
  readonly initiator: OpenIscsiInitiator;
  readonly devices: LinuxBlockDevices;
  readonly maps: MultipathMaps;
  readonly notes: VolumeNotes;
}

/** One way to the volume, as it was when we looked. */
export interface PathView {
  readonly key: SessionKey;
  readonly lun: Lun;
  readonly session: Session | undefined;
  /** The volume's unit on the session. */
  readonly unit: LogicalUnit | undefined;
  /** Units of other volumes on the session. */
  readonly otherUnits: number;
  readonly logoutPolicy: LogoutPolicy;
}

/** All of a volume that is on this host, as it was when we looked. */
export interface VolumeView {
  readonly paths: readonly PathView[];
  /**
   * Over one of its disks; or, where none is below a map, the one that was noted as its map and has no path of anybody
   * else.
   */
  readonly map: MultipathMap | undefined;
  /** What is below the map and none of the volume's. */
  readonly strangers: readonly Stranger[];
  readonly note: VolumeNote | undefined;
  /** Where the volume's disks may be: what the connection names, and where the note has the same volume. */
  readonly units: readonly TargetUnit[];
  /**
   * Who the volume was when it was connected, as far as that was kept. The kernel's own word of a disk is no older than
   * the last rescan.
   */
  readonly knownWwid: Wwid | undefined;
  /** Of what the map was made, as far as that was kept. */
  readonly mapWwid: Wwid | undefined;
  /** Ids that the volume's map may have had, of maps that are over other disks by now. */
  readonly lostIds: readonly MapId[];
}

/**
 * Looks at a volume in sysfs, in open-iscsi's database and in this library's own notes: the paths of the connection
 * over the ifaces of the configuration, and over every other iface with a record of this library's making (the
 * configuration may have changed since); and further paths that are proven to be the volume's: the same LUN of the same
 * target through another portal, below its map or with its WWID (the storage service may have listed others since, or
 * one alone).
 * @param wwid the volume's, where the caller knows it
 */
export async function observeVolume(
  connection: IscsiConnection,
  ifaces: readonly IfaceName[],
  parts: ObserverParts,
  wwid?: string,
): Promise<VolumeView> {
  const sessions = await parts.initiator.sessions();
  const note = await parts.notes.find(unitsOf(connection));
  const own = await ownRecords(connection, note, parts);
  const unlisted = withoutRepeats([
    ...connection.paths,
    ...notedPaths(connection, note),
    ...recordedPaths(connection, own),
  ]).slice(connection.paths.length);
  const keys = [
    ...connection.paths.map((path) => keysOf(path, ifaces, own)),
    ...unlisted.map((path) => keysOf(path, [], own)),
  ];
  const ordered = inOrderOfIfaces(keys);
  const sessionOf = sessionFinder(
    ordered.map(({ key }) => key),
    sessions,
  );
  const listed = await Promise.all(ordered.map(async ({ key, lun }) => await viewOf(key, lun, sessionOf(key), parts)));
  const units = unitsWith(connection, note);
  const disks = listed.flatMap(({ unit }) => unit?.disk ?? []);
  const below = await mapOver(disks, units, parts);
  const noted =
    below.map === undefined
      ? await notedMap({ note, wwid, isGone: disks.length === 0 }, units, parts)
      : { ...below, lostIds: [] };
  const wwids = new Set([
    ...disks.flatMap((disk) => disk.wwid ?? []),
    ...(note === undefined || isOfAnother(note, connection) ? [] : [note.wwid]),
  ]);
  const others = await otherPaths({ listed, map: noted.map, wwids, units }, sessions, parts);
  const mapWwid = await wwidOf(noted.map, note, parts);
  return { paths: [...listed, ...others], ...noted, note, units, mapWwid, knownWwid: note?.wwid ?? mapWwid };
}

type OwnRecords = ReadonlyMap<TargetName, readonly OwnRecord[]>;

/** Of each target, read once. */
async function ownRecords(
  connection: IscsiConnection,
  note: VolumeNote | undefined,
  { initiator }: ObserverParts,
): Promise<OwnRecords> {
  const targets = new Set(unitsWith(connection, note).map(({ target }) => target));
  return new Map(
    await Promise.all([...targets].map(async (target) => [target, await initiator.ownRecordsOf(target)] as const)),
  );
}

/** The volume's units through every portal for which this library has a record: those that it discovered among them. */
function recordedPaths(connection: IscsiConnection, own: OwnRecords): readonly TargetPath[] {
  return unitsOf(connection).flatMap(({ target, lun }) =>
    (own.get(target) ?? []).flatMap(({ portals }) =>
      portals.flatMap((portal) => (isPortalName(portal) ? [] : [{ target, lun, portal }])),
    ),
  );
}

/** Over these ifaces, and over every other one with a record of this library's making. */
function keysOf(
  { lun, ...path }: TargetPath,
  ifaces: readonly IfaceName[],
  own: OwnRecords,
): readonly { readonly key: SessionKey; readonly lun: Lun }[] {
  const recorded = (own.get(path.target) ?? []).filter((record) => isRecordAt(record, path.portal));
  const names = [...new Set([...ifaces, ...recorded.map(({ iface }) => iface)])];
  return names.map((iface) => ({ key: { ...path, iface }, lun }));
}

type MapView = Pick<VolumeView, 'map' | 'strangers'>;

async function mapOver(
  disks: readonly ScsiDisk[],
  units: readonly TargetUnit[],
  { maps }: ObserverParts,
): Promise<MapView> {
  const map = await firstMap(disks, maps);
  return { map, strangers: map === undefined ? [] : await maps.strangersIn(map, units) };
}

/** A map that lost all its disks is over none of them. Where it has other ones by now it is theirs. */
async function notedMap(
  {
    note,
    wwid,
    isGone,
  }: { readonly note: VolumeNote | undefined; readonly wwid: string | undefined; readonly isGone: boolean },
  units: readonly TargetUnit[],
  { maps }: ObserverParts,
): Promise<MapView & Pick<VolumeView, 'lostIds'>> {
  const known = isGone ? [note?.mapId, note?.wwid, wwid] : [note?.mapId];
  const ids = known.flatMap((id) => (id === undefined ? [] : (parseMapId(id) ?? [])));
  const found = await Promise.all(
    (await maps.ofIds(ids)).map(async (map) => ({ map, strangers: await maps.strangersIn(map, units) })),
  );
  const map = found.find(({ strangers }) => strangers.length === 0)?.map;
  return {
    map,
    strangers: [],
    lostIds: found.flatMap(({ map: { id }, strangers }) => (strangers.length === 0 ? [] : [id])),
  };
}

/**
 * A note is of one map. Without one, the id of a map that was entered as a WWID says it: the volume may have been
 * connected before notes were kept.
 */
async function wwidOf(
  map: MultipathMap | undefined,
  note: VolumeNote | undefined,
  { maps }: ObserverParts,
): Promise<Wwid | undefined> {
  if (map === undefined) return undefined;
  if (note !== undefined) return note.mapId === map.id ? note.wwid : undefined;
  return /^[123]/.test(map.id) && (await maps.hasEntered(map.id)) ? (String(map.id) as Wwid) : undefined;
}

/** Each iface's portals in the order of the list: the first path that is there is that of the first iface. */
function inOrderOfIfaces<Item>(rows: readonly (readonly Item[])[]): readonly Item[] {
  const width = Math.max(0, ...rows.map((row) => row.length));
  return Array.from({ length: width }, (_unused, column) =>
    rows.flatMap((row) => row.slice(column, column + 1)),
  ).flat();
}

/**
 * A session at a listed portal is that portal's path alone, also where the name under which it runs leads to another
 * one.
 */
function sessionFinder(
  keys: readonly SessionKey[],
  sessions: readonly Session[],
): (key: SessionKey) => Session | undefined {
  const isAt = (session: Session, key: SessionKey): boolean =>
    isSessionOf(session, key) && samePortal(session.portal, key.portal);
  const placed = sessions.filter((session) => keys.some((key) => isAt(session, key)));
  return (key) =>
    placed.find((session) => isAt(session, key)) ??
    sessions.find((session) => !placed.includes(session) && isSessionOf(session, key));
}

async function viewOf(
  key: SessionKey,
  lun: Lun,
  session: Session | undefined,
  { devices, initiator }: ObserverParts,
): Promise<PathView> {
  if (session === undefined) return { key, lun, session, unit: undefined, otherUnits: 0, logoutPolicy: 'never' };
  const unit = await devices.findUnit(session, lun);
  const otherUnits = (await devices.countUnits(session)) - (unit === undefined ? 0 : 1);
  return { key, lun, session, unit, otherUnits, logoutPolicy: await initiator.logoutPolicy(key) };
}

async function firstMap(disks: readonly ScsiDisk[], maps: MultipathMaps): Promise<MultipathMap | undefined> {
  for (const disk of disks) {
    const map = await maps.over(disk);
    if (map !== undefined) return map;
  }
  return undefined;
}

interface Seen {
  readonly listed: readonly PathView[];
  readonly map: MultipathMap | undefined;
  readonly wwids: ReadonlySet<Wwid>;
  readonly units: readonly TargetUnit[];
}

async function otherPaths(
  { listed, map, wwids, units }: Seen,
  sessions: readonly Session[],
  parts: ObserverParts,
): Promise<readonly PathView[]> {
  const members = new Set(map?.members.map(({ path }) => path));
  const targets = new Set(units.map(({ target }) => target));
  const known = new Set(listed.flatMap(({ session }) => session?.id ?? []));
  const found = await Promise.all(
    sessions
      .filter(({ id, target }) => !known.has(id) && targets.has(target))
      .map(async (session) => {
        const own = (await parts.devices.units(session)).filter(({ address }) =>
          isAmong(units, { target: session.target, lun: lunOf(address) }),
        );
        const proven = own.filter(
          ({ disk }) =>
            disk !== undefined && (members.has(disk.path) || (disk.wwid !== undefined && wwids.has(disk.wwid))),
        );
        return await Promise.all(
          proven.map(async ({ address }) => await viewOf(session, lunOf(address), session, parts)),
        );
      }),
  );
  return found.flat();
}
