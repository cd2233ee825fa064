import type { Brand } from '../base/brand.js';
import type { ScsiAddress } from './scsi-address.js';
import type { Wwid } from './wwid.js';

export type DevicePath = Brand<`/dev/${string}`, 'DevicePath'>;

/** One SCSI disk: one path to a volume. */
export interface ScsiDisk {
  readonly kind: 'disk';
  readonly path: DevicePath;
  readonly address: ScsiAddress;
  /** `undefined` for a unit that reports no WWID (no usable VPD page 0x83). */
  readonly wwid: Wwid | undefined;
  readonly sizeBytes: number;
}

/**
 * What multipathd calls a volume: the value that udev has for each path under `uid_attribute` (multipath.conf(5)). By
 * default that is ID_SERIAL, which reads as the WWID does; an administrator may have it be another, so it is never
 * compared with a WWID.
 */
export type MapId = Brand<string, 'MapId'>;

/** A device-mapper map over all paths of one volume. */
export interface MultipathMap {
  readonly kind: 'multipath';
  readonly path: DevicePath;
  /** The map's name below /dev/mapper, which multipathd goes by. */
  readonly name: string;
  /** As device-mapper has it: its UUID without `mpath-`. */
  readonly id: MapId;
  /** The WWID of the paths, by the kernel's word; `undefined` for a map without a path that has one. */
  readonly wwid: Wwid | undefined;
  readonly sizeBytes: number;
  /** The paths below it, as device-mapper has them; empty once all are gone. */
  readonly members: readonly ScsiDisk[];
}

export type BlockDevice = ScsiDisk | MultipathMap;
