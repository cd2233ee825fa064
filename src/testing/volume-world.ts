import type { VolumeDriver } from '../driver/volume-driver.js';
import type { Transport } from '../hardware/transport.js';

/** A volume that a storage service exports to this host, and what it would say about it. */
export interface PublishedVolume {
  readonly connectionInfo: unknown;
  readonly sizeBytes: number;
}

/** A host, a storage array and a driver: what the contract needs to know of any of them, real or made up. */
export interface VolumeWorld extends AsyncDisposable {
  readonly driver: VolumeDriver;
  /** What the driver's volumes must come over. */
  readonly iface: string;
  readonly transport: Transport;
  /** Exports `count` volumes on one new target. */
  publish(count: number): Promise<readonly PublishedVolume[]>;
  /** Makes a published volume larger, as the storage service would while it is connected. */
  grow(volume: PublishedVolume, sizeBytes: number): Promise<void>;
  /** A portal of the network at which nothing answers, as connection_info spells it. */
  readonly deadPortal: string;
  /** Keeps the device open, as a guest would, until the result is called. */
  holdOpen(devicePath: string): Promise<() => Promise<void>>;
  /** A signal that aborts once the driver has used the host's files and commands that many times. */
  abortAfter(uses: number): AbortSignal;
  /** What is on the host that was not there at the start: one line each. */
  residue(): Promise<readonly string[]>;
  /** How many processes one connect() and one disconnect() may start at most; 2 and 3 when absent. */
  readonly processLimits?: { readonly connect: number; readonly disconnect: number };
  /** How many processes the driver has started since the world began, those that hold its locks among them. */
  processesStarted(): number;
}
