import type { Brand } from '../base/brand.js';
import { type Portal, samePortal } from '../connection/portal.js';
import type { TargetName } from '../connection/target-name.js';
import type { IfaceName } from '../iface/iface-name.js';
import type { Transport } from '../hardware/transport.js';

/** The kernel's number of a session. */
export type SessionId = Brand<number, 'SessionId'>;

/** A session as sysfs shows it (Linux, drivers/scsi/scsi_transport_iscsi.c). */
export interface Session {
  readonly id: SessionId;
  readonly target: TargetName;
  /**
   * The portal that was asked for (`persistent_address`), not where a redirect led; where it was asked for by name, the
   * one where the connection is now.
   */
  readonly portal: Portal;
  /**
   * `persistent_address` as it is, where that is another text than the portal's address: iscsiadm finds the session by
   * it.
   */
  readonly recordedAddress?: string;
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

/**
 * A session that this library cannot place: of a driver that it does not know, or with a name that it would never use.
 */
export interface ForeignSession {
  readonly id: SessionId;
  /** As sysfs has them. */
  readonly target: string;
  readonly iface: string;
  /** One sentence for people. */
  readonly reason: string;
}

/** What makes a session the one we mean: target, portal and iface. */
export interface SessionKey {
  readonly target: TargetName;
  readonly portal: Portal;
  readonly iface: IfaceName;
  /** The portal's address as the record or the session has it, where that is another text. */
  readonly recordedAddress?: string;
}

/**
 * By the portal's value; or by the name under which open-iscsi has both, where a redirect has led the session elsewhere
 * or its connection is down.
 */
export function isSessionOf(session: Session, { target, portal, iface }: SessionKey): boolean {
  return (
    session.target === target &&
    session.iface === iface &&
    (samePortal(session.portal, portal) || isRecordedAlike(session.portal, portal))
  );
}

function isRecordedAlike({ recordedAs: one }: Portal, { recordedAs: other }: Portal): boolean {
  return one !== undefined && one.hostName === other?.hostName && one.port === other.port;
}
