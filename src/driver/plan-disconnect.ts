import type { Unit } from '../device/find-disk.js';
import type { ScsiDisk } from '../device/block-device.js';
import type { ScsiAddress } from '../device/scsi-address.js';
import type { MayEnd } from '../initiator/open-iscsi-initiator.js';
import type { Session, SessionKey } from '../initiator/session.js';

/** One way to the volume, as it was when we looked. */
export interface PathView {
  readonly key: SessionKey;
  readonly session: Session | undefined;
  /** The volume's unit on the session. */
  readonly unit: Unit | undefined;
  /** Units of other volumes on the session. */
  readonly otherUnits: number;
  readonly mayEnd: MayEnd;
}

export type DisconnectStep =
  | { readonly kind: 'flush'; readonly disk: ScsiDisk }
  | { readonly kind: 'remove'; readonly session: Session; readonly address: ScsiAddress }
  | { readonly kind: 'logout'; readonly session: Session }
  | { readonly kind: 'forget'; readonly key: SessionKey };

/**
 * Everything that must happen, in the order in which a failure loses nothing: all data is written out before any disk goes, and a session
 * ends only when nothing else lives on it. Touches nothing.
 */
export function planDisconnect(paths: readonly PathView[]): readonly DisconnectStep[] {
  const disks = paths.flatMap(({ unit }) => unit?.disk ?? []);
  return [
    ...disks.map((disk): DisconnectStep => ({ kind: 'flush', disk })),
    ...paths.flatMap(({ session, unit }): readonly DisconnectStep[] => (session === undefined || unit === undefined ? [] : [{ kind: 'remove', session, address: unit.address }])),
    ...paths.flatMap((path): readonly DisconnectStep[] => (path.session === undefined || !isOver(path) ? [] : [{ kind: 'logout', session: path.session }])),
    ...paths.flatMap(({ key, session }): readonly DisconnectStep[] => (session === undefined ? [{ kind: 'forget', key }] : [])),
  ];
}

function isOver({ unit, otherUnits, mayEnd }: PathView): boolean {
  return otherUnits === 0 && (mayEnd === 'always' || (mayEnd === 'after-removal' && unit !== undefined));
}
