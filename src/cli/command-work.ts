import type { Doctor } from '../doctor/doctor.js';
import type { HostRecovery } from '../recovery/host-recovery.js';
import type { VolumeDriver } from '../driver/volume-driver.js';
import type { IfaceRecords } from '../iface/iface-records.js';
import type { IfaceReports } from '../preflight/iface-report.js';
import type { IfaceGenerator } from '../initiator/iface-generator.js';

/** What a command has to say: a document for programs and lines for people, the same facts in both. */
export interface CommandOutput {
  readonly document: object;
  readonly text: string;
  /** Shown to people on stderr; programs find them in the document. */
  readonly warnings: readonly string[];
  /** 1 where the work was done and what it found out is bad; absent, 0. */
  readonly exitStatus?: 0 | 1;
}

/** What a command may use while it runs. */
export interface CommandContext {
  /** @throws {VolumeError} `USAGE` when the file cannot be read, or is not JSON */
  readonly readJson: (file: string) => Promise<unknown>;
  /** The file as it is. @throws {VolumeError} `USAGE` when it cannot be read */
  readonly readBytes: (file: string) => Promise<Uint8Array>;
  /** The driver that a connection_info asks for. @throws {VolumeError} `CONNECTION_INFO_INVALID`, `DRIVER_UNKNOWN` */
  readonly driverFor: (connectionInfo: unknown) => VolumeDriver;
  readonly ifaces: () => IfaceReports;
  readonly ifaceRecords: () => IfaceRecords;
  readonly ifaceGenerator: () => IfaceGenerator;
  readonly doctor: () => Doctor;
  readonly recovery: () => HostRecovery;
  /** Where the options came from: a file's path, or words for the built-in defaults. */
  readonly configOrigin: string;
  /** Shown to people beside what is being done, from now on: `33 % copied`. */
  readonly progress: (state: string) => void;
  readonly signal: AbortSignal;
}

/** A command that has been understood and not yet begun. */
export interface CommandWork {
  /** What people are told while it takes its time: `Connecting the volume`. */
  readonly doing: string;
  readonly run: (context: CommandContext) => Promise<CommandOutput>;
}

/** How a command's definition hands its work over. */
export type Begin = (work: CommandWork) => void;
