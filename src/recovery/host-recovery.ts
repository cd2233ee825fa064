import type { CallOptions } from '../base/call-options.js';
import type { DeviceUser } from '../host/device-users.js';

/** What a thing on this host is, of which this library knows that it made it. */
export type RemainsKind = 'volume' | 'session' | 'administrators-record' | 'discovery-record' | 'map';

/** One thing, and what is to become of it. */
export interface RecoveryItem {
  readonly kind: RemainsKind;
  /** A volume's id or its target and LUN; a target; a file; the id of a map. */
  readonly name: string;
  readonly action: 'remove' | 'restore' | 'keep';
  /** Why, in words: `guest web1 has it`. */
  readonly reason: string;
}

/** The same, once it was tried. */
export interface RecoveredItem extends RecoveryItem {
  /** `planned` on a dry run; `failed`: it is there still, and another call tries again. */
  readonly outcome: 'done' | 'planned' | 'kept' | 'failed';
  /** Why it failed, with what lies behind it. */
  readonly error: string | undefined;
}

export interface ReconcileOptions extends CallOptions {
  /** The connection_info of each volume that is to stay, whoever uses it. */
  readonly keep?: readonly unknown[];
  /** Changes nothing, and says what it would do. */
  readonly dryRun?: boolean;
}

export interface PathStatus {
  readonly target: string;
  readonly lun: number;
  /** `192.0.2.10:3260`. */
  readonly portal: string;
  readonly iface: string;
  /** `undefined`: there is no session, and only its record is left. */
  readonly session: { readonly id: number; readonly state: string; readonly transport: string } | undefined;
  /** `/dev/sda`; `undefined` where the session shows no such disk. */
  readonly disk: string | undefined;
}

/** A volume that this library has brought to this host, from its session to its guests. */
export interface VolumeStatus {
  readonly volumeId: string | undefined;
  readonly wwid: string | undefined;
  readonly state: 'connected' | 'arriving' | 'gone';
  readonly paths: readonly PathStatus[];
  /** The multipath map over its disks. */
  readonly map: { readonly name: string; readonly path: string } | undefined;
  /** Who has it open now. */
  readonly users: readonly DeviceUser[];
  /** Which guests have it, for now or for their next start; `undefined` where libvirt cannot be asked. */
  readonly guests: readonly string[] | undefined;
}

export interface HostStatus {
  readonly volumes: readonly VolumeStatus[];
  /** What reconcile() would do where the caller keeps every volume that is here. */
  readonly leftovers: readonly RecoveryItem[];
}

/** What of this host is this library's, and the removal of what killed processes have left. */
export interface HostRecovery {
  /** Looks, and changes nothing. @throws {VolumeError} `DATABASE_FAILED`, `ABORTED` */
  status(options?: CallOptions): Promise<HostStatus>;

  /**
   * Removes what no process that runs has brought, nobody has open, no guest has and the caller does not keep; restores
   * administrators' records. Never touches what this library has no note or mark of. Each thing is judged again under
   * its target's lock right before. A service calls it as it starts, with the volumes that it knows; without `keep`,
   * only guests, users and processes keep a volume.
   * @throws {VolumeError} `CONNECTION_INFO_INVALID` of what is to be kept; `ABORTED`. What fails alone is in the result
   */
  reconcile(options?: ReconcileOptions): Promise<readonly RecoveredItem[]>;
}
