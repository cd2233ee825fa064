import type { IfaceFinding } from './check-iface-record.js';
import type { UnusableCode } from '../hardware/hardware.js';

/** One iface of this host, and whether volumes can be reached over it. */
export interface IfaceReport {
  readonly name: string;
  /** As the record says it: it may be one that this library does not know. */
  readonly transport: string;
  readonly hwaddress: string | undefined;
  readonly ipaddress: string | undefined;
  readonly netIfacename: string | undefined;
  /** In open-iscsi's code, not in a record. */
  readonly builtIn: boolean;
  readonly usable: boolean;
  /**
   * Why it is not usable, for programs: the verdict's code, or `RECORD_BROKEN` for a record that cannot be read;
   * `undefined` when it is.
   */
  readonly code: UnusableCode | 'RECORD_BROKEN' | undefined;
  /** Why it is not usable; `undefined` when it is. */
  readonly reason: string | undefined;
  /** Where the record does not fit the hardware that is there. */
  readonly findings: readonly IfaceFinding[];
}

/** Looks at every iface of this host without changing anything. */
export interface IfaceReports {
  /** @throws {VolumeError} `PERMISSION_DENIED`, `ABORTED` */
  list(signal: AbortSignal): Promise<readonly IfaceReport[]>;
}
