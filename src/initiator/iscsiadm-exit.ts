import type { VolumeErrorCode } from '../base/volume-error.js';

/** Exit statuses of iscsiadm that mean something to us (open-iscsi, include/iscsi_err.h). */
export const ISCSIADM_EXIT = {
  ok: 0,
  sessionNotFound: 2,
  /** Also said of an iface without a record (usr/iscsiadm.c, main; usr/idbm.c, idbm_populate_rec). */
  noMemory: 3,
  databaseFailure: 6,
  connectionTimedOut: 8,
  pduTimedOut: 11,
  sessionExists: 15,
  noObjectsFound: 21,
  sysfsLookup: 22,
  sessionNotConnected: 32,
} as const;

interface Meaning {
  readonly code: VolumeErrorCode;
  /** open-iscsi's own words (usr/iscsi_err.c). */
  readonly words: string;
}

/** What a failed login means (open-iscsi, include/iscsi_err.h and usr/iscsi_err.c). */
const LOGIN_FAILURES: Readonly<Record<number, Meaning>> = {
  4: { code: 'PORTAL_UNREACHABLE', words: 'encountered connection failure' },
  5: { code: 'LOGIN_REFUSED', words: 'encountered iSCSI login failure' },
  6: { code: 'DATABASE_FAILED', words: 'encountered database failure' },
  7: { code: 'COMMAND_FAILED', words: 'invalid parameter' },
  8: { code: 'PORTAL_UNREACHABLE', words: 'connection timed out' },
  11: { code: 'PORTAL_UNREACHABLE', words: 'iSCSI PDU timed out' },
  12: { code: 'TRANSPORT_UNAVAILABLE', words: 'iSCSI driver not found' },
  13: { code: 'PERMISSION_DENIED', words: 'daemon access denied' },
  14: { code: 'TRANSPORT_UNAVAILABLE', words: 'iSCSI driver does not support the requested capability' },
  18: { code: 'INITIATOR_UNAVAILABLE', words: 'could not communicate with iscsid' },
  19: { code: 'LOGIN_REFUSED', words: 'encountered non-retryable iSCSI login failure' },
  20: { code: 'INITIATOR_UNAVAILABLE', words: 'could not connect to iscsid' },
  21: { code: 'DATABASE_FAILED', words: 'no record found' },
  23: { code: 'TRANSPORT_UNAVAILABLE', words: 'no such host adapter' },
  24: { code: 'LOGIN_AUTH_FAILED', words: 'login failed due to authorization failure' },
  33: { code: 'INITIATOR_UNAVAILABLE', words: 'iscsid request timed out' },
};

export function loginFailure(exitCode: number): Meaning {
  return LOGIN_FAILURES[exitCode] ?? { code: 'COMMAND_FAILED', words: `iscsiadm ended with exit status ${exitCode}` };
}

/**
 * Which portals of a login failed, and why: iscsiadm's own exit status is that of the first failure only.
 * @returns `address,port` to the status of that portal (usr/iscsiadm.c, log_login_msg)
 */
export function failedPortals(stderr: string): ReadonlyMap<string, number> {
  const pattern =
    /Could not login to \[iface: \S+, target: \S+, portal: (\S+,\d+)\]\.\niscsiadm: initiator reported error \((\d+) /g;
  return new Map([...stderr.matchAll(pattern)].map(([, portal = '', status = '']) => [portal, Number(status)]));
}

/**
 * What a failed discovery means, where that is not what a failed login does. Whatever was wrong with the connection
 * ends with 11, and 21 is said of an iface without a record or a driver as well as of a portal that shows this
 * initiator nothing (usr/iscsiadm.c, do_target_discovery); only the latter says `No portals found`. Shown by the
 * captured answers/discovery-*.json.
 */
export function discoveryFailure({
  exitCode,
  stderr,
}: {
  readonly exitCode: number;
  readonly stderr: string;
}): Meaning {
  switch (exitCode) {
    case ISCSIADM_EXIT.noObjectsFound:
      return stderr.includes('No portals found')
        ? { code: 'LOGIN_REFUSED', words: 'the portal shows this initiator no target' }
        : { code: 'TRANSPORT_UNAVAILABLE', words: 'the iface cannot be used' };
    case 11:
      return { code: 'PORTAL_UNREACHABLE', words: 'the portal does not answer' };
    default:
      return loginFailure(exitCode);
  }
}

/**
 * The version in what `iscsiadm --version` and `iscsid --version` print: `iscsiadm version 2.1.8`; absent when there is
 * none in it.
 */
export function parseToolVersion(text: string): string | undefined {
  return /\bversion (\d+(?:\.\d+)+(?:-\w+)?)/.exec(text)?.[1];
}
