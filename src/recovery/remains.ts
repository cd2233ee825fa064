import type { NonEmpty } from '../base/brand.js';
import type { TargetName } from '../connection/target-name.js';
import type { MapId, MultipathMap } from '../device/block-device.js';
import { isAmong } from '../device/disk-place.js';
import type { TargetUnit } from '../device/units-behind.js';
import type { DeviceUser } from '../host/device-users.js';
import type { LentRecord } from '../initiator/records/lent-record.js';
import type { OwnDiscovery } from '../initiator/discovery/discovery-database.js';
import type { LogoutPolicy } from '../initiator/open-iscsi-initiator.js';
import type { Session, SessionKey } from '../initiator/session.js';
import type { VolumeView } from '../volume/observe-volume.js';
import type { NotedUnit } from '../volume/notes/volume-note.js';
import type { RecoveryItem } from './host-recovery.js';

/** A volume of which there is a note. */
export interface FoundVolume {
  readonly volumeId: string | undefined;
  readonly wwid: string | undefined;
  readonly units: NonEmpty<NotedUnit>;
  /** A connect() of it did not come to its end. */
  readonly isArriving: boolean;
  /** The process that connected it last, where it is known and still runs. */
  readonly runningOwner: number | undefined;
  /** `undefined` where its note names no portal that can be read. */
  readonly view: VolumeView | undefined;
  readonly users: readonly DeviceUser[];
  /** `undefined` where libvirt cannot be asked. */
  readonly guests: readonly string[] | undefined;
}

/** A record of ours of a target of which there is no note. */
export interface FoundRecord {
  readonly key: SessionKey;
  readonly session: Session | undefined;
  /** Units of whatever volume on the session. */
  readonly units: number;
  readonly logoutPolicy: LogoutPolicy;
}

/** An id that this library has entered into multipath's wwids file, and that no note names. */
export interface FoundMapId {
  readonly id: MapId;
  readonly map: MultipathMap | undefined;
  readonly users: readonly DeviceUser[];
}

/** All on this host that carries a note or a mark of this library. */
export interface Remains {
  readonly volumes: readonly FoundVolume[];
  readonly records: readonly FoundRecord[];
  readonly lent: readonly LentRecord[];
  readonly discoveries: readonly OwnDiscovery[];
  readonly mapIds: readonly FoundMapId[];
}

/** The volumes that the caller keeps. */
export interface Kept {
  readonly units: readonly TargetUnit[];
  readonly volumeIds: ReadonlySet<string>;
}

export function planVolume(volume: FoundVolume, kept: Kept): RecoveryItem {
  const keeping = reasonToKeep(volume, kept);
  const base = { kind: 'volume', name: nameOfVolume(volume) } as const;
  return keeping === undefined
    ? { ...base, action: 'remove', reason: reasonToRemove(volume) }
    : { ...base, action: 'keep', reason: keeping };
}

function reasonToKeep(volume: FoundVolume, kept: Kept): string | undefined {
  const { volumeId, units, guests, users, isArriving, runningOwner, view } = volume;
  if ((volumeId !== undefined && kept.volumeIds.has(volumeId)) || units.some((unit) => isAmong(kept.units, unit)))
    return 'the caller keeps it';
  if (view === undefined) return 'its note names no portal that can be read';
  if (guests === undefined) return 'libvirt cannot be asked whether a guest has it';
  if (guests.length > 0) return `guest ${guests.join(', ')} has it`;
  if (users.length > 0)
    return `${users.map(({ name, pid }) => (pid === 0 ? name : `${name} (pid ${pid})`)).join(', ')} has it open`;
  if (!isArriving && runningOwner !== undefined) return `process ${runningOwner}, which connected it, runs`;
  return undefined;
}

function reasonToRemove({ isArriving, view }: FoundVolume): string {
  if (isArriving) return 'a connect of it did not come to its end';
  const isHere = view?.map !== undefined || view?.paths.some(({ session, unit }) => session ?? unit) === true;
  return isHere
    ? 'nobody uses it, and the process that connected it has ended'
    : 'nothing of it is here but notes and records';
}

export function nameOfVolume({ volumeId, units: [{ target, lun }] }: Pick<FoundVolume, 'volumeId' | 'units'>): string {
  return volumeId ?? `${target},${lun}`;
}

export function planRecord({ key, session, units, logoutPolicy }: FoundRecord): RecoveryItem {
  const base = { kind: 'session', name: key.target } as const;
  if (session === undefined)
    return { ...base, action: 'remove', reason: 'a record of this library has no session and no volume' };
  if (units > 0)
    return {
      ...base,
      action: 'keep',
      reason: `${units} units are on session ${session.id}, and nothing is noted of them`,
    };
  return logoutPolicy === 'always'
    ? { ...base, action: 'remove', reason: `session ${session.id} carries nothing, and its record is this library's` }
    : { ...base, action: 'keep', reason: `session ${session.id} has a record of an administrator` };
}

export function planLent({ path }: LentRecord): RecoveryItem {
  return {
    kind: 'administrators-record',
    name: path,
    action: 'restore',
    reason: 'it has the settings of a login that did not come to its end',
  };
}

export function planDiscovery({ folder, target }: OwnDiscovery): RecoveryItem {
  return {
    kind: 'discovery-record',
    name: folder,
    ...(target === undefined
      ? { action: 'keep', reason: `it does not say whose discovery it was: remove ${folder} when none goes on` }
      : { action: 'remove', reason: 'a discovery did not come to its end' }),
  };
}

export function planMapId({ id, map, users }: FoundMapId): RecoveryItem {
  const base = { kind: 'map', name: id } as const;
  if (map === undefined)
    return {
      ...base,
      action: 'remove',
      reason: "this library has entered it into multipath's wwids, and no map has it",
    };
  if (map.members.length > 0) return { ...base, action: 'keep', reason: `the map ${map.name} has paths` };
  return users.length > 0
    ? { ...base, action: 'keep', reason: `${users.map(({ name }) => name).join(', ')} has the map ${map.name} open` }
    : { ...base, action: 'remove', reason: `the map ${map.name} has no path and no user, and no volume` };
}

/** Every target of which a note is here. */
export function notedTargets(volumes: readonly Pick<FoundVolume, 'units'>[]): ReadonlySet<TargetName> {
  return new Set(volumes.flatMap(({ units }) => units.map(({ target }) => target)));
}
