import { formatPortal } from '../connection/portal.js';
import type { Command } from '../host/command.js';
import type { SessionKey } from './session.js';

/**
 * Every iscsiadm command that this library runs. Each carries `-I`: without it iscsiadm acts on the records of every iface
 * (usr/iscsiadm.c, exec_node_op). None is ever killed, see `Patience`.
 */
export function loginCommand(key: SessionKey, waitMs: number): Command {
  return onRecord(key, waitMs, '--login');
}

/** Works on the sessions in sysfs and needs no record (usr/iscsiadm.c, logout_portals). */
export function logoutCommand(key: SessionKey, waitMs: number): Command {
  return onRecord(key, waitMs, '--logout');
}

function onRecord({ target, portal, iface }: SessionKey, waitMs: number, ...verb: readonly string[]): Command {
  return {
    program: 'iscsiadm',
    args: ['-m', 'node', '-T', target, '-p', formatPortal(portal), '-I', iface, ...verb],
    patience: { kind: 'wait', ms: waitMs },
  };
}
