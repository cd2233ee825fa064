import type { ChapCredentials } from '../connection/chap-credentials.js';
import type { Portal } from '../connection/portal.js';
import type { TargetName } from '../connection/target-name.js';
import type { Iface } from '../iface/iface.js';
import type { RecordValues } from '../iface/record-text.js';

export interface NodeSettings {
  readonly loginTimeoutSeconds: number;
  readonly chap: ChapCredentials | undefined;
}

/**
 * A whole node record, as `iscsiadm -o new` would write it from the iface and iscsid.conf, with our settings in it. Keys that are
 * not written take open-iscsi's built-in defaults (usr/idbm.c, idbm_node_setup_defaults).
 * @param defaults the `node.` lines of iscsid.conf
 */
export function newNodeRecord(
  { target, portal, iface }: { readonly target: TargetName; readonly portal: Portal; readonly iface: Iface },
  settings: NodeSettings,
  defaults: RecordValues,
): RecordValues {
  return withSettings(
    new Map([
      ['node.name', target],
      ['node.tpgt', String(tpgtOf(portal))],
      ['node.startup', 'manual'],
      ...[...iface.values].filter(([key]) => key.startsWith('iface.')),
      ['node.discovery_type', 'static'],
      ...[...defaults].filter(([key]) => key.startsWith('node.') && key !== 'node.startup' && key !== 'node.leading_login'),
      ['node.conn[0].address', portal.address],
      ['node.conn[0].port', String(portal.port)],
      ['node.conn[0].startup', 'manual'],
    ]),
    settings,
  );
}

/**
 * The tag the record goes under. Where the storage service does not give one it is 1: the target tells the true tag at login and
 * open-iscsi takes it (usr/login.c, "Portal group tag mismatch … Updating"), while a record without any is a plain file
 * that the next iface's record overwrites (usr/idbm.c, idbm_rec_write_old).
 */
export function tpgtOf({ tpgt }: Portal): number {
  return tpgt ?? 1;
}

/**
 * The record with what this library needs: no scan of the target's other units at login, one bounded try, one session, and CHAP exactly as asked
 * for (a record without credentials must not keep old ones).
 */
export function withSettings(record: RecordValues, { loginTimeoutSeconds, chap }: NodeSettings): RecordValues {
  const settled = new Map(record);
  settled.set('node.session.scan', 'manual');
  settled.set('node.session.initial_login_retry_max', '1');
  settled.set('node.session.nr_sessions', '1');
  settled.set('node.conn[0].timeo.login_timeout', String(loginTimeoutSeconds));
  for (const key of ['username', 'password', 'username_in', 'password_in']) settled.delete(`node.session.auth.${key}`);
  settled.set('node.session.auth.authmethod', chap === undefined ? 'None' : 'CHAP');
  if (chap !== undefined) {
    settled.set('node.session.auth.username', chap.username);
    settled.set('node.session.auth.password', chap.password.reveal());
  }
  return settled;
}
