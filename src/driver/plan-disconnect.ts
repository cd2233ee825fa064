import type { NonEmpty } from '../base/brand.js';
import { grouped } from '../base/grouped.js';
import type { DevicePath, MultipathMap, ScsiDisk } from '../device/block-device.js';
import type { ScsiAddress } from '../device/scsi-address.js';
import type { Session, SessionKey } from '../initiator/session.js';
import type { PathView, VolumeView } from './observe-volume.js';

export type DisconnectStep =
  | { readonly kind: 'stop-queueing' | 'flush-map' | 'remove-map'; readonly map: MultipathMap }
  | { readonly kind: 'flush'; readonly disk: ScsiDisk }
  | { readonly kind: 'remove'; readonly session: Session; readonly address: ScsiAddress }
  | { readonly kind: 'forget-disks'; readonly map: MultipathMap; readonly disks: readonly DevicePath[] }
  /** Sessions of one target over one iface. */
  | { readonly kind: 'logout'; readonly sessions: NonEmpty<Session> }
  | { readonly kind: 'forget'; readonly key: SessionKey };

/**
 * Everything that must happen, in the order in which a failure loses nothing: all data is written out before any disk goes, and a session
 * ends only when nothing else lives on it. A map goes before its paths, and what waits for its last path to come back is told first that
 * none will: with every path dead, writing out would wait for ever. Touches nothing.
 * @param force data that cannot be written out is given up
 */
export function planDisconnect({ paths, map }: VolumeView, force: boolean): readonly DisconnectStep[] {
  const disks = paths.flatMap(({ unit }) => unit?.disk ?? []);
  const members = new Set(map?.members.map(({ path }) => path));
  const alone = disks.filter(({ path }) => !members.has(path));
  return [
    ...(map === undefined ? [] : planMap(map, force || !paths.some(isAlive))),
    ...alone.map((disk): DisconnectStep => ({ kind: 'flush', disk })),
    ...paths.flatMap(({ session, unit }): readonly DisconnectStep[] => (session === undefined || unit === undefined ? [] : [{ kind: 'remove', session, address: unit.address }])),
    ...(map === undefined ? [] : [{ kind: 'forget-disks', map, disks: disks.map(({ path }) => path) } as const]),
    ...grouped(paths.flatMap((path) => (path.session === undefined || !isOver(path) ? [] : [path.session])), ({ target, iface }) => `${target} ${iface}`).map((sessions): DisconnectStep => ({ kind: 'logout', sessions })),
    ...paths.flatMap(({ key, session }): readonly DisconnectStep[] => (session === undefined ? [{ kind: 'forget', key }] : [])),
  ];
}

function planMap(map: MultipathMap, isDead: boolean): readonly DisconnectStep[] {
  const steps: readonly DisconnectStep[] = [{ kind: 'flush-map', map }, { kind: 'remove-map', map }];
  return isDead ? [{ kind: 'stop-queueing', map }, ...steps] : steps;
}

function isAlive({ session, unit }: PathView): boolean {
  return session?.state === 'LOGGED_IN' && unit?.disk !== undefined;
}

function isOver({ unit, otherUnits, mayEnd }: PathView): boolean {
  return otherUnits === 0 && (mayEnd === 'always' || (mayEnd === 'after-removal' && unit !== undefined));
}
