import type { Brand } from '../base/brand.js';
import { type Portal, samePortal } from '../connection/portal.js';
import type { TargetName } from '../connection/target-name.js';
import type { IfaceName } from '../iface/iface-name.js';
import type { Transport } from '../iface/transport.js';

/** The kernel's number of a session. */
export type SessionId = Brand<number, 'SessionId'>;

/** A session as sysfs shows it (Linux, drivers/scsi/scsi_transport_iscsi.c). */
export interface Session {
  readonly id: SessionId;
  readonly target: TargetName;
  /** The portal that was asked for (`persistent_address`), not where a redirect led. */
  readonly portal: Portal;
  /** The iface that the session really runs over. */
  readonly iface: IfaceName;
  /** The transport that the session really runs over: the driver of its SCSI host. */
  readonly transport: Transport;
  readonly host: number;
  /** `LOGGED_IN`, `FAILED` or `FREE`. */
  readonly state: string;
  /** The session's folder in sysfs, with the SCSI targets below it. */
  readonly devicePath: string;
}

/** What makes a session the one we mean: target, portal and iface. */
export interface SessionKey {
  readonly target: TargetName;
  readonly portal: Portal;
  readonly iface: IfaceName;
}

export function isSessionOf(session: Session, { target, portal, iface }: SessionKey): boolean {
  return session.target === target && session.iface === iface && samePortal(session.portal, portal);
}
