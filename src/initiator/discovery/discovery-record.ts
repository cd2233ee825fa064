import type { ChapCredentials } from '../../connection/chap-credentials.js';
import type { Portal } from '../../connection/portal.js';
import { keyType } from '../../database/record-keys.js';
import type { RecordValues } from '../../database/record-text.js';

export interface DiscoverySettings {
  readonly loginTimeoutSeconds: number;
  readonly chap: ChapCredentials | undefined;
}

/**
 * A whole discovery record, as `iscsiadm -m discoverydb -o new` would write it from iscsid.conf, with our settings in
 * it: one bounded try instead of six (reopen_max), never looked at by the discovery daemon, and CHAP exactly as asked
 * for: neither the session's nor iscsid.conf's. Keys that are not written take open-iscsi's built-in defaults
 * (usr/idbm.c, idbm_discovery_setup_defaults).
 * @param defaults the lines of iscsid.conf
 */
export function newDiscoveryRecord(
  { address, port }: Portal,
  { loginTimeoutSeconds, chap }: DiscoverySettings,
  defaults: RecordValues,
): RecordValues {
  return new Map([
    ['discovery.startup', 'manual'],
    ['discovery.type', 'sendtargets'],
    ...[...defaults].filter(([key]) => isDefault(key)),
    ['discovery.sendtargets.address', address],
    ['discovery.sendtargets.port', String(port)],
    ['discovery.sendtargets.auth.authmethod', chap === undefined ? 'None' : 'CHAP'],
    ...(chap === undefined
      ? []
      : ([
          ['discovery.sendtargets.auth.username', chap.username],
          ['discovery.sendtargets.auth.password', chap.password.reveal()],
        ] as const)),
    ['discovery.sendtargets.timeo.login_timeout', String(loginTimeoutSeconds)],
    ['discovery.sendtargets.reopen_max', '0'],
    ['discovery.sendtargets.use_discoveryd', 'No'],
  ]);
}

/**
 * The digests for CHAP have one key for sessions and discoveries (usr/idbm.c, idbm_recinfo_discovery: "reusing
 * SESSION_CHAP_ALGS").
 */
function isDefault(key: string): boolean {
  return (
    (key.startsWith('discovery.sendtargets.') &&
      !key.startsWith('discovery.sendtargets.auth.') &&
      keyType(key) !== undefined) ||
    key === 'node.session.auth.chap_algs'
  );
}
