import type { Secret } from '../base/secret.js';
import { portalOperand } from '../connection/recorded-portal.js';
import type { Argument, Command } from '../host/command.js';
import { DEFAULT_IFACE, type IfaceName } from '../iface/iface-name.js';
import type { DiscoveryRecordName } from './discovery/discovery-database.js';
import { PASSWORD } from './records/node-record.js';
import type { SessionId, SessionKey } from './session.js';

/**
 * Every iscsiadm command that this library runs. Each that acts on a record carries `-I`: without it iscsiadm acts on
 * the records of every iface (usr/iscsiadm.c, exec_node_op). Three name none by their nature: the version, the list of
 * all ifaces, and what is done to one session by its number, where iscsiadm takes none (usr/iscsiadm.c, mode_paras).
 * One cannot name it: the logout over an iface whose record has gone. None is ever killed, see `Patience`.
 */
export function loginCommand(key: SessionKey, waitMs: number): Command {
  return onRecord(key, waitMs, '--login');
}

/**
 * Every record of the target for the iface, all portals at once: a portal that is dead holds none of the others up
 * (usr/iscsiadm.c, iscsi_login_portals). Only where those records are exactly the ones that are meant.
 */
export function loginTargetCommand({ target, iface }: Omit<SessionKey, 'portal'>, waitMs: number): Command {
  return iscsiadm(waitMs, '-m', 'node', '-T', target, '-I', iface, '--login');
}

/** Every session of the target over the iface. Only where those sessions are exactly the ones that are meant. */
export function logoutTargetCommand({ target, iface }: Omit<SessionKey, 'portal'>, waitMs: number): Command {
  return iscsiadm(waitMs, '-m', 'node', '-T', target, '-I', iface, '--logout');
}

/** Works on the sessions in sysfs and needs no record (usr/iscsiadm.c, logout_portals). */
export function logoutCommand(key: SessionKey, waitMs: number): Command {
  return onRecord(key, waitMs, '--logout');
}

/**
 * One session and no other, whatever else iscsiadm would take for the same portal (usr/iscsi_util.c,
 * __iscsi_match_session).
 */
export function logoutSessionCommand(id: SessionId, waitMs: number): Command {
  return iscsiadm(waitMs, '-m', 'session', '-r', String(id), '--logout');
}

/**
 * Every session to the portal, over whatever iface: only where there is one. For an iface whose record has gone, of
 * which iscsiadm does nothing that names it, nor by the session's number (usr/idbm.c, idbm_populate_rec).
 */
export function logoutPortalCommand({ target, portal, recordedAddress }: SessionKey, waitMs: number): Command {
  const operand = portalOperand(recordedAddress ?? portal.address, portal.recordedAs?.port ?? portal.port);
  return iscsiadm(waitMs, '-m', 'node', '-T', target, '-p', operand, '--logout');
}

export function versionCommand(waitMs: number): Command {
  return iscsiadm(waitMs, '--version');
}

/**
 * Makes a record for each HBA that has none before it prints all ifaces (usr/iscsiadm.c, MODE_IFACE; usr/iface.c,
 * iface_setup_host_bindings).
 */
export function listIfacesCommand(waitMs: number): Command {
  return iscsiadm(waitMs, '-m', 'iface');
}

/** Puts the CHAP secret into a record that is there, for every user of this host to see while it runs. */
export function setPasswordCommand(key: SessionKey, password: Secret, waitMs: number): Command {
  return onRecord(key, waitMs, '-o', 'update', '-n', PASSWORD, '-v', password);
}

/**
 * Asks a portal for its targets. `nonpersistent` makes no record and changes none, which any other `-o`, and none,
 * would (usr/iscsiadm.c, exec_discover and do_software_sendtargets); the discovery itself goes over the iface where its
 * transport can carry one, as iser can (usr/discovery.c, iscsi_create_leading_conn).
 * @param record the discovery record to take the address and the settings from
 */
export function discoverCommand({ name, port }: DiscoveryRecordName, iface: IfaceName, waitMs: number): Command {
  return iscsiadm(
    waitMs,
    '-m',
    'discoverydb',
    '-t',
    'sendtargets',
    '-p',
    `${name}:${port}`,
    '-I',
    iface,
    '-o',
    'nonpersistent',
    '--discover',
  );
}

/**
 * Asks for a discovery record and has it told where it is looked for, which is said at this level whether it is there
 * or not (usr/idbm.c, idbm_discovery_read). The level below the one at which values are printed, which may be secrets
 * (idbm_update_param). Changes nothing.
 */
export function askForRecordCommand({ name, port }: DiscoveryRecordName, waitMs: number): Command {
  return iscsiadm(
    waitMs,
    '-m',
    'discoverydb',
    '-t',
    'sendtargets',
    '-p',
    `${name}:${port}`,
    '-I',
    DEFAULT_IFACE,
    '-o',
    'show',
    '-d',
    '6',
  );
}

/**
 * By the address as the record or the session has it: iscsiadm takes an equal text at once, and asks the resolver for
 * any other (usr/iscsi_util.c, iscsi_addr_match).
 */
function onRecord(
  { target, portal, iface, recordedAddress }: SessionKey,
  waitMs: number,
  ...verb: readonly Argument[]
): Command {
  const operand = portalOperand(recordedAddress ?? portal.address, portal.recordedAs?.port ?? portal.port);
  return iscsiadm(waitMs, '-m', 'node', '-T', target, '-p', operand, '-I', iface, ...verb);
}

function iscsiadm(waitMs: number, ...args: readonly Argument[]): Command {
  return { program: 'iscsiadm', args, patience: { kind: 'wait', ms: waitMs } };
}
