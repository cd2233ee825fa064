import type { Lun } from '../connection/lun.js';
import type { IscsiConnection } from '../connection/iscsi-connection.js';
import { samePortal } from '../connection/portal.js';
import type { MultipathMap, ScsiDisk } from '../device/block-device.js';
import type { Unit } from '../device/find-disk.js';
import type { LinuxBlockDevices } from '../device/linux-block-devices.js';
import { lunOf } from '../device/scsi-address.js';
import type { MultipathMaps } from '../device/multipath-maps.js';
import type { IfaceName } from '../iface/iface-name.js';
import type { MayEnd, OpenIscsiInitiator } from '../initiator/open-iscsi-initiator.js';
import { isSessionOf, type Session, type SessionKey } from '../initiator/session.js';

export interface ObserverParts {
  readonly initiator: OpenIscsiInitiator;
  readonly devices: LinuxBlockDevices;
  readonly maps: MultipathMaps;
}

/** One way to the volume, as it was when we looked. */
export interface PathView {
  readonly key: SessionKey;
  readonly lun: Lun;
  readonly session: Session | undefined;
  /** The volume's unit on the session. */
  readonly unit: Unit | undefined;
  /** Units of other volumes on the session. */
  readonly otherUnits: number;
  readonly mayEnd: MayEnd;
}

/** All of a volume that is on this host, as it was when we looked. */
export interface VolumeView {
  readonly paths: readonly PathView[];
  readonly map: MultipathMap | undefined;
}

/**
 * Looks at a volume in sysfs and in open-iscsi's database: the paths of the connection over the ifaces of the configuration, and over every other iface
 * with a record of this library's making (the configuration may have changed since); and further paths that are proven to be the volume's, by the map that has them
 * or by the WWID of that LUN on another portal of the target (the storage service may have listed others since, or one alone).
 */
export async function observeVolume({ paths }: IscsiConnection, ifaces: readonly IfaceName[], parts: ObserverParts): Promise<VolumeView> {
  const sessions = await parts.initiator.sessions();
  const keys = await Promise.all(paths.map(async ({ lun, ...path }) => {
    const names = [...new Set([...ifaces, ...(await parts.initiator.ownIfacesAt({ ...path, lun }))])];
    return names.map((iface) => ({ key: { ...path, iface }, lun }));
  }));
  const ordered = inOrderOfIfaces(keys);
  const sessionOf = sessionFinder(ordered.map(({ key }) => key), sessions);
  const listed = await Promise.all(ordered.map(async ({ key, lun }) => await viewOf(key, lun, sessionOf(key), parts)));
  const disks = listed.flatMap(({ unit }) => unit?.disk ?? []);
  const map = await firstMap(disks, parts.maps);
  const others = await otherPaths({ listed, map, disks }, sessions, parts);
  return { paths: [...listed, ...others], map };
}

/** Each iface's portals in the order of the list: the first path that is there is that of the first iface. */
function inOrderOfIfaces<Item>(rows: readonly (readonly Item[])[]): readonly Item[] {
  const width = Math.max(...rows.map((row) => row.length));
  return Array.from({ length: width }, (_unused, column) => rows.flatMap((row) => row.slice(column, column + 1))).flat();
}

/** A session at a listed portal is that portal's path alone, also where the name under which it runs leads to another one. */
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

async function viewOf(key: SessionKey, lun: Lun, session: Session | undefined, { devices, initiator }: ObserverParts): Promise<PathView> {
  if (session === undefined) return { key, lun, session, unit: undefined, otherUnits: 0, mayEnd: 'never' };
  const unit = await devices.findUnit(session, lun);
  const otherUnits = (await devices.countUnits(session)) - (unit === undefined ? 0 : 1);
  return { key, lun, session, unit, otherUnits, mayEnd: await initiator.mayEnd(key) };
}

async function firstMap(disks: readonly ScsiDisk[], maps: MultipathMaps): Promise<MultipathMap | undefined> {
  for (const disk of disks) {
    const map = await maps.over(disk);
    if (map !== undefined) return map;
  }
  return undefined;
}

async function otherPaths(
  { listed, map, disks }: { readonly listed: readonly PathView[]; readonly map: MultipathMap | undefined; readonly disks: readonly ScsiDisk[] }, sessions: readonly Session[], parts: ObserverParts,
): Promise<readonly PathView[]> {
  const wwids = new Set(disks.flatMap(({ wwid }) => wwid ?? []));
  const members = new Set(map?.members.map(({ path }) => path));
  const targets = new Set(listed.map(({ key }) => key.target));
  const hosts = new Set(map?.members.map(({ address }) => address.host));
  const known = new Set(listed.flatMap(({ session }) => session?.id ?? []));
  const candidates = sessions.filter(({ id, target, host }) => !known.has(id) && (targets.has(target) || hosts.has(host)));
  const luns = new Set(disks.map(({ address }) => address.lun));
  const found = await Promise.all(candidates.map(async (session) => {
    const units = (await parts.devices.units(session)).filter(({ disk }) => disk !== undefined && (members.has(disk.path) || (luns.has(disk.address.lun) && disk.wwid !== undefined && wwids.has(disk.wwid))));
    return await Promise.all(units.map(async ({ address }) => await viewOf(session, lunOf(address), session, parts)));
  }));
  return found.flat();
}
