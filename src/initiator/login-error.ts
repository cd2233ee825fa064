import { VolumeError, type VolumeErrorCode } from '../base/volume-error.js';
import { formatPortal } from '../connection/portal.js';
import { KNOWN_ROOTS } from '../database/database-location.js';
import type { CommandResult } from '../host/command.js';
import { loginFailure } from './iscsiadm-exit.js';
import type { Session, SessionKey } from './session.js';

const HINTS: Readonly<Partial<Record<VolumeErrorCode, string>>> = {
  INITIATOR_UNAVAILABLE: 'systemctl start iscsid.socket',
  PORTAL_UNREACHABLE: 'check the address, the network on the way, and that the target is served there',
  LOGIN_AUTH_FAILED: 'check auth_username and auth_password against the target',
  LOGIN_REFUSED:
    'check that the target exists and lets this initiator in (/etc/iscsi/initiatorname.iscsi); and, where ' +
    'iscsid.conf has node.session.auth.username_in, that the target proves itself with it',
};

/** What iscsiadm says of a login that failed. */
export function loginError(key: SessionKey, result: CommandResult): VolumeError {
  const { code, words } = loginFailure(result.exitCode);
  return errorOf(key, result, { code, words, hint: HINTS[code] });
}

/**
 * Not an answer, but as good as one: the target was reached, and over another transport it would say no to the same
 * secret.
 */
export function lostLogin(key: SessionKey, result: CommandResult): VolumeError {
  return errorOf(key, result, {
    code: 'LOGIN_REFUSED',
    words: 'the target ended the connection during the login, as it does behind a refusal',
    hint:
      'check auth_username and auth_password against the target, and that it exists; its log says why it ended ' +
      'the connection',
  });
}

/**
 * iscsid makes no session where it takes one that is there for the same: it asks the resolver what a name means now
 * (usr/iscsi_util.c, iscsi_addr_match), while
 * that session's connection may be to another portal.
 * @param alike the sessions of the same target over the same iface
 */
export function hiddenSession(key: SessionKey, alike: readonly Session[]): VolumeError {
  const others = alike.map(
    ({ id, portal, recordedAddress }) =>
      `session ${id}, which was asked for as ${recordedAddress ?? portal.address} and is connected to ` +
      formatPortal(portal),
  );
  return new VolumeError(
    'COMMAND_FAILED',
    `Cannot log in to ${key.target} at ${formatPortal(key.portal)} over the iface ${key.iface}: iscsid says that ` +
      `there is such a session, and the kernel shows none; it has ${others.join('; ') || 'none of that target'}`,
    {
      hint: 'let target_portal name the portal to which that session is connected, or end that session',
      details: {
        target: key.target,
        portal: formatPortal(key.portal),
        iface: key.iface,
        sessions: alike.map(({ id }) => id),
      },
    },
  );
}

/** @param where the root that the record was written to, how it was known, and what would be found out now */
export function unreadRecord(
  key: SessionKey,
  result: CommandResult,
  { root, proof, now }: { readonly root: string; readonly proof: string; readonly now: string },
): VolumeError {
  const others = now === root ? KNOWN_ROOTS.filter((other) => other !== root) : [now];
  return errorOf(key, result, {
    code: 'DATABASE_FAILED',
    words: `iscsiadm finds no record, and there is one in ${root}/nodes (${proof})`,
    hint:
      now === root
        ? `iscsiadm keeps its records elsewhere, as in ${others.join(' or ')}: set database_root to where it does; ` +
          '"libvirt-volume doctor" tells more'
        : `open-iscsi has been replaced and keeps its records in ${now} now: try again`,
  });
}

function errorOf(
  key: SessionKey,
  { exitCode, stderr }: CommandResult,
  { code, words, hint }: { readonly code: VolumeErrorCode; readonly words: string; readonly hint: string | undefined },
): VolumeError {
  return new VolumeError(
    code,
    `Cannot log in to ${key.target} at ${formatPortal(key.portal)} over the iface ${key.iface}: ${words}`,
    {
      ...(stderr.trim() === '' ? {} : { cause: new Error(stderr.trim().replaceAll('\n', '; ')) }),
      details: { target: key.target, portal: formatPortal(key.portal), iface: key.iface, exitCode },
      ...(hint === undefined ? {} : { hint }),
    },
  );
}
