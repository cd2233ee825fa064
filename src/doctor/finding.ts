/**
 * `error`: an attach would fail, or not go as it was asked for. `warning`: it works, and something will surprise
 * somebody.
 */
export type Severity = 'error' | 'warning' | 'ok';

/**
 * Every code a finding may have, and how grave it is. Codes are stable within a major version; docs/doctor.md explains
 * each.
 */
export const FINDING_SEVERITY = {
  NOT_READABLE: 'error',
  NOT_ROOT: 'error',
  ROOT_HELPER_FAILED: 'error',
  DEV_WITHOUT_DISKS: 'error',
  DIRECTORY_UNUSABLE: 'error',
  OPEN_ISCSI_MISSING: 'error',
  ISCSID_NOT_RUNNING: 'error',
  ISCSID_STOPPED: 'error',
  ISCSID_REPLACED: 'warning',
  VERSION_MISMATCH: 'error',
  SCAN_MANUAL_HANGS: 'error',
  INITIATOR_NAME_MISSING: 'error',
  INITIATOR_NAME_INVALID: 'error',
  INITIATOR_NAME_NOT_GENERATED: 'error',
  DATABASE_ROOT_UNKNOWN: 'error',
  DATABASE_ROOT_DIFFERS: 'error',
  DATABASE_RECORDS_ELSEWHERE: 'warning',
  DATABASE_LOCK_STALE: 'error',
  DATABASE_LOCK_HELD: 'error',
  DATABASE_LOCK_LEFT: 'warning',
  NODE_RECORD_BROKEN: 'error',
  NODE_RECORD_AUTOMATIC: 'warning',
  NODE_RECORD_UNKNOWN: 'warning',
  DISCOVERY_RECORD_BROKEN: 'warning',
  SESSION_UNKNOWN: 'warning',
  LINE_NOT_UNDERSTOOD: 'warning',
  IFACE_NOT_FOUND: 'error',
  IFACE_UNUSABLE: 'error',
  IFACE_FALLS_BACK: 'warning',
  IFACE_RECORD_BROKEN: 'warning',
  IFACE_RECORD_MISFIT: 'warning',
  ISCSIUIO_NOT_RUNNING: 'warning',
  TRANSPORT_NOT_TRIED: 'warning',
  REPLIES_DROPPED: 'warning',
  ARP_FLUX: 'warning',
  MULTIPATHD_NOT_RUNNING: 'error',
  ONE_PATH_ONLY: 'warning',
  MULTIPATHD_TAKES_ALL: 'warning',
  LIBVIRT_UNREACHABLE: 'error',
  CONFIG_READ: 'ok',
  PERMISSIONS_SUFFICE: 'ok',
  DIRECTORIES_READY: 'ok',
  OPEN_ISCSI_READY: 'ok',
  INITIATOR_NAME_SET: 'ok',
  DATABASE_SOUND: 'ok',
  IFACE_USABLE: 'ok',
  MULTIPATH_READY: 'ok',
  LIBVIRT_ANSWERS: 'ok',
} as const satisfies Readonly<Record<string, Severity>>;

export type FindingCode = keyof typeof FINDING_SEVERITY;

/** One thing that was found out about this host. */
export interface Finding {
  readonly severity: Severity;
  readonly code: FindingCode;
  /** What is so, in one sentence. */
  readonly message: string;
  /**
   * The command that mends it, ready for root's shell; `undefined` where no single command does, and where nothing is
   * to be mended.
   */
  readonly hint: string | undefined;
}

/** @param hint a command whose words are quoted for a shell where they must be */
export function finding(code: FindingCode, message: string, hint?: string): Finding {
  return { severity: FINDING_SEVERITY[code], code, message, hint };
}
