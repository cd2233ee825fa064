import type { ChapCredentials } from '../../connection/chap-credentials.js';
import type { Portal } from '../../connection/portal.js';
import type { TargetName } from '../../connection/target-name.js';
import type { Iface } from '../../iface/iface.js';
import { keyType } from '../../database/record-keys.js';
import type { RecordValues } from '../../database/record-text.js';

const USERNAME = 'node.session.auth.username';
/** The key of the initiator's CHAP secret. */
export const PASSWORD = 'node.session.auth.password';
const OF_THE_TARGET: readonly string[] = ['node.session.auth.username_in', 'node.session.auth.password_in'];

const REPLACEMENT_TIMEOUT = 'node.session.timeo.replacement_timeout';

/** What a record is found by, and when it logs in by itself: never an administrator's default. */
const OF_THE_RECORD: readonly string[] = [
  'node.name',
  'node.tpgt',
  'node.startup',
  'node.leading_login',
  'node.conn[0].address',
  'node.conn[0].port',
  'node.conn[0].startup',
];

export interface NodeSettings {
  readonly loginTimeoutSeconds: number;
  /** How many times a login that is not answered is tried; once when absent. */
  readonly loginAttempts?: number;
  /** How long a session may be away before its I/O fails; what the record or iscsid.conf says when absent. */
  readonly replacementTimeoutSeconds?: number | undefined;
  readonly chap: ChapCredentials | undefined;
}

/**
 * A whole node record, as `iscsiadm -o new` would write it from the iface and iscsid.conf, with our settings in it.
 * Keys that are not written take open-iscsi's built-in defaults (usr/idbm.c, idbm_node_setup_defaults).
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
      ...[...defaults].filter(([key]) => isDefault(key)),
      ['node.conn[0].address', portal.address],
      ['node.conn[0].port', String(portal.port)],
      ['node.conn[0].startup', 'manual'],
    ]),
    settings,
  );
}

/**
 * A key that open-iscsi does not have would keep `iscsiadm -m node` from listing any record of the host
 * (libopeniscsiusr/idbm.c, _idbm_recs_read).
 */
function isDefault(key: string): boolean {
  const isKnown = key.startsWith('node.') && keyType(key) !== undefined;
  return isKnown && !OF_THE_RECORD.includes(key) && !key.startsWith('node.discovery_');
}

/**
 * The tag the record goes under. Where the storage service does not give one it is 1: the target tells the true tag at
 * login and open-iscsi takes it (usr/login.c, "Portal group tag mismatch … Updating"), while a record without any is a
 * plain file that the next iface's record overwrites (usr/idbm.c, idbm_rec_write_old).
 */
export function tpgtOf({ tpgt }: Portal): number {
  return tpgt ?? 1;
}

/**
 * The record with what this library needs: no scan of the target's other units at login, bounded tries, one session,
 * and CHAP exactly as asked for (a record without credentials must not keep old ones). With CHAP, what the target has
 * to prove itself with (`username_in`, `password_in`) stays: no connection_info has it, so it is the administrator's
 * demand, made in iscsid.conf or in a record.
 */
export function withSettings(
  record: RecordValues,
  { loginTimeoutSeconds, loginAttempts = 1, replacementTimeoutSeconds, chap }: NodeSettings,
): RecordValues {
  const settled = new Map(record);
  settled.set('node.session.scan', 'manual');
  settled.set('node.session.initial_login_retry_max', String(loginAttempts));
  if (replacementTimeoutSeconds !== undefined) settled.set(REPLACEMENT_TIMEOUT, String(replacementTimeoutSeconds));
  settled.set('node.session.nr_sessions', '1');
  settled.set('node.conn[0].timeo.login_timeout', String(loginTimeoutSeconds));
  settled.set('node.session.auth.authmethod', chap === undefined ? 'None' : 'CHAP');
  if (chap === undefined) {
    for (const key of [USERNAME, PASSWORD, ...OF_THE_TARGET]) settled.delete(key);
  } else {
    settled.set(USERNAME, chap.username);
    settled.set(PASSWORD, chap.password.reveal());
  }
  return settled;
}

/**
 * The record with what open-iscsi finds it by, where it lacks that: it goes by the text of a record, and not by its
 * folder (usr/iscsiadm.c, rec_match_fn).
 */
export function withPlace(
  record: RecordValues,
  { target, portal, iface }: { readonly target: TargetName; readonly portal: Portal; readonly iface: Iface },
  address: string,
): RecordValues {
  return new Map([
    ['node.name', target],
    ['node.conn[0].address', address],
    ['node.conn[0].port', String(portal.port)],
    ['iface.iscsi_ifacename', iface.name],
    ...record,
  ]);
}

/**
 * A record of ours with what iscsid.conf says now of the target's own proof (mutual CHAP is demanded on the whole host,
 * or it is not), and of how long a session may be away (the record may be of a time when the session was one of
 * several).
 */
export function asConfigured(record: RecordValues, defaults: RecordValues): RecordValues {
  const keys = [...OF_THE_TARGET, REPLACEMENT_TIMEOUT];
  return new Map([...withoutKeys(record, keys), ...[...defaults].filter(([key]) => keys.includes(key))]);
}

/** open-iscsi's own default is that of its iscsid.conf (usr/idbm.c, idbm_node_setup_defaults). */
export function replacementTimeoutIn(defaults: RecordValues): number {
  return Number(defaults.get(REPLACEMENT_TIMEOUT) ?? 120);
}

export function withoutPassword(record: RecordValues): RecordValues {
  return withoutKeys(record, [PASSWORD]);
}

function withoutKeys(record: RecordValues, keys: readonly string[]): RecordValues {
  return new Map([...record].filter(([key]) => !keys.includes(key)));
}
