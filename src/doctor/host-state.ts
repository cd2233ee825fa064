import type { VolumeError } from '../base/volume-error.js';
import type { VolumeOptions } from '../config/options.js';
import type { FileKind } from '../host/file-system.js';
import type { DatabaseLocation } from '../database/database-location.js';
import type { LockOwner } from '../database/database-lock.js';
import type { Hardware } from '../hardware/hardware.js';
import type { BrokenIface, IfaceFiles } from '../iface/read-ifaces.js';
import type { OddLine } from '../database/record-text.js';
import type { ReversePath } from '../hardware/read-rp-filter.js';
import type { ResolvedIface } from '../iface/resolve-iface.js';
import type { AllSessions } from '../initiator/read-sessions.js';
import type { DatabaseRecord } from './database-records.js';
import type { HostProcess } from './host-process.js';
import type { Mount } from './mounts.js';
import type { Seen } from './seen.js';

/** All that the checks decide over, as it was when we looked. */
export interface HostState {
  readonly options: VolumeOptions;
  /** Where the options came from: `/etc/libvirt-volume/config.toml`, `the built-in defaults`. */
  readonly configOrigin: string;
  /** What `id -u` prints, behind `root_helper` where that is set. */
  readonly user: Seen<{ readonly exitCode: number; readonly uid: string; readonly stderr: string }>;
  readonly mounts: Seen<readonly Mount[]>;
  readonly directories: Seen<readonly DirectoryState[]>;
  readonly openIscsi: OpenIscsiState;
  /** The text of /etc/iscsi/initiatorname.iscsi; absent when there is no such file. */
  readonly initiatorName: Seen<{ readonly text: string | undefined }>;
  /** Lines of /etc/iscsi/iscsid.conf that open-iscsi does not take as they stand there. */
  readonly oddDefaults: Seen<readonly OddLine[]>;
  readonly database: Seen<DatabaseState>;
  readonly databaseLock: Seen<DatabaseLockState>;
  readonly records: Seen<readonly DatabaseRecord[]>;
  readonly sessions: Seen<AllSessions>;
  readonly ifaces: Seen<IfaceState>;
  /** Absent where the kernel does not tell. */
  readonly reversePath: Seen<ReversePath | undefined>;
  readonly failedTransports: Seen<readonly FailedTransport[]>;
  readonly multipath: Seen<MultipathState>;
  readonly libvirt: LibvirtState;
}

/** A folder that an option names, and the nearest part of its path that is there. */
export interface DirectoryState {
  readonly option: 'state_directory' | 'lock_directory';
  readonly path: string;
  readonly nearest: { readonly path: string; readonly kind: FileKind };
}

export interface OpenIscsiState {
  /** iscsid, or systemd for it, listens on its socket. */
  readonly listens: Seen<boolean>;
  /** The processes named iscsid. */
  readonly daemons: Seen<readonly (HostProcess & { readonly replaced: boolean })[]>;
  /** `2.1.8`; absent when what the program printed is not understood. */
  readonly iscsiadmVersion: Seen<string | undefined>;
  readonly iscsidVersion: Seen<string | undefined>;
  /** The text of /etc/os-release: it decides who installs packages here. */
  readonly osRelease: string;
}

export interface DatabaseState {
  readonly location: DatabaseLocation;
  /** What iscsiadm shows, where `location` is what the option says. */
  readonly proven: Seen<DatabaseLocation> | undefined;
  /** Records that this host's open-iscsi does not read. */
  readonly elsewhere: readonly RecordsElsewhere[];
}

export interface RecordsElsewhere {
  readonly root: string;
  /** Those of `nodes`, `ifaces` and `send_targets` that hold them. */
  readonly folders: readonly string[];
  readonly count: number;
}

export type DatabaseLockState =
  | { readonly kind: 'free' }
  | {
      readonly kind: 'held';
      readonly path: string;
      /** The process of this library that has it. */
      readonly owner: LockOwner | undefined;
      /** For how long it was never seen free. */
      readonly forMs: number;
      /**
       * The processes named iscsiadm and iscsid. Those hold the lock for milliseconds: only one that is stalled can
       * still have it, and any other iscsiadm waits for it.
       */
      readonly processes: readonly HostProcess[];
    };

export interface IfaceState {
  readonly root: string;
  readonly hardware: Hardware;
  readonly inventory: IfaceFiles;
  /** What each entry of `iscsi_iface` means, in its order. */
  readonly chosen: readonly ChosenIface[];
}

export type ChosenIface =
  | { readonly kind: 'found'; readonly resolved: ResolvedIface }
  /** It names a record that cannot be read. */
  | { readonly kind: 'damaged'; readonly broken: BrokenIface }
  | { readonly kind: 'not-found'; readonly error: VolumeError };

/** A transport that failed at a login and is not tried again for a while: volumes go over the fallback until then. */
export interface FailedTransport {
  readonly iface: string;
  /** `192.0.2.10:3260` */
  readonly portal: string;
  readonly reason: string;
  readonly retryInMs: number;
}

export interface MultipathState {
  readonly daemonRuns: boolean;
  /** What `multipathd show config local` printed; absent when nobody needs it, or nobody answers. */
  readonly config: string | undefined;
}

export interface LibvirtState {
  readonly answer: Seen<undefined>;
  /** The systemd unit that starts the daemon of this host; absent where none is installed. */
  readonly unit: string | undefined;
}
