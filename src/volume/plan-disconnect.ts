import type { NonEmpty } from '../base/brand.js';
import { grouped } from '../base/grouped.js';
import type { DevicePath, MapId, MultipathMap, ScsiDisk } from '../device/block-device.js';
import type { ScsiAddress } from '../device/scsi-address.js';
import { parseMapId } from '../device/multipath/multipathd.js';
import type { TargetUnit } from '../device/units-behind.js';
import type { Session, SessionKey } from '../initiator/session.js';
import type { PathView, VolumeView } from './observe-volume.js';

export type DisconnectStep =
  | { readonly kind: 'stop-queueing' | 'flush-map' | 'remove-map'; readonly map: MultipathMap }
  | { readonly kind: 'flush'; readonly disk: ScsiDisk }
  | { readonly kind: 'remove'; readonly session: Session; readonly address: ScsiAddress }
  /** The map goes on with what is not the volume's. */
  | { readonly kind: 'leave-map'; readonly map: MultipathMap; readonly disk: ScsiDisk }
  | { readonly kind: 'forget-disks'; readonly disks: readonly DevicePath[] }
  | { readonly kind: 'forget-ids'; readonly ids: readonly MapId[] }
  /** Sessions of one target over one iface. */
  | { readonly kind: 'logout'; readonly sessions: NonEmpty<Session> }
  | { readonly kind: 'forget'; readonly key: SessionKey }
  | { readonly kind: 'drop-note'; readonly units: readonly TargetUnit[] };

/**
 * Everything that must happen, in the order in which a failure loses nothing: all data is written out before any disk
 * goes, and a session ends only when nothing else lives on it. A map goes before its paths, and what waits for its last
 * path to come back is told first that none will: with every path dead, writing out would wait for ever. A map that has
 * others' disks below it stays as it is for them, and only the volume's disks leave it: nothing is written through it.
 * Touches nothing.
 * @param force data that cannot be written out is given up
 */
export function planDisconnect(view: VolumeView, force: boolean): readonly DisconnectStep[] {
  const { paths, map, strangers, note } = view;
  const disks = paths.flatMap(({ unit }) => unit?.disk ?? []);
  const members = new Set(map?.members.map(({ path }) => path));
  const isShared = strangers.length > 0;
  const alone = isShared ? disks : disks.filter(({ path }) => !members.has(path));
  const ids = idsToForget(view);
  return [
    ...(map === undefined
      ? []
      : isShared
        ? disks.filter(({ path }) => members.has(path)).map((disk) => ({ kind: 'leave-map', map, disk }) as const)
        : planMap(map, force || !paths.some(isAlive))),
    ...alone.map((disk): DisconnectStep => ({ kind: 'flush', disk })),
    ...paths.flatMap(({ session, unit }): readonly DisconnectStep[] =>
      session === undefined || unit === undefined ? [] : [{ kind: 'remove', session, address: unit.address }],
    ),
    ...(map === undefined ? [] : [{ kind: 'forget-disks', disks: disks.map(({ path }) => path) } as const]),
    ...(ids.length === 0 ? [] : [{ kind: 'forget-ids', ids } as const]),
    ...grouped(
      paths.flatMap((path) => (path.session === undefined || !isOver(path) ? [] : [path.session])),
      ({ target, iface }) => `${target} ${iface}`,
    ).map((sessions): DisconnectStep => ({ kind: 'logout', sessions })),
    ...paths.flatMap(({ key, session }): readonly DisconnectStep[] =>
      session === undefined ? [{ kind: 'forget', key }] : [],
    ),
    ...(note === undefined ? [] : [{ kind: 'drop-note', units: note.units } as const]),
  ];
}

/** What the volume's map may have been called. An id stays as long as a map of it has other disks. */
function idsToForget({ map, strangers, note, lostIds }: VolumeView): readonly MapId[] {
  if (strangers.length > 0) return [];
  const known = [map?.id, note?.mapId, note === undefined ? undefined : parseMapId(note.wwid)].filter(
    (id) => id !== undefined,
  );
  return [...new Set(known)].filter((id) => !lostIds.includes(id));
}

function planMap(map: MultipathMap, isDead: boolean): readonly DisconnectStep[] {
  const steps: readonly DisconnectStep[] = [
    { kind: 'flush-map', map },
    { kind: 'remove-map', map },
  ];
  return isDead ? [{ kind: 'stop-queueing', map }, ...steps] : steps;
}

function isAlive({ session, unit }: PathView): boolean {
  return session?.state === 'LOGGED_IN' && unit?.disk !== undefined;
}

function isOver({ unit, otherUnits, logoutPolicy }: PathView): boolean {
  return otherUnits === 0 && (logoutPolicy === 'always' || (logoutPolicy === 'after-removal' && unit !== undefined));
}
