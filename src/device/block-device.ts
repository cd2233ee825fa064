import type { Brand } from '../base/brand.js';
import type { ScsiAddress } from './scsi-address.js';
import type { Wwid } from './wwid.js';

export type DevicePath = Brand<`/dev/${string}`, 'DevicePath'>;

/** One SCSI disk: one path to a volume. */
export interface ScsiDisk {
  readonly kind: 'disk';
  readonly path: DevicePath;
  readonly address: ScsiAddress;
  /** `undefined` for a unit that does not say who it is (no usable VPD page 0x83). */
  readonly wwid: Wwid | undefined;
  readonly sizeBytes: bigint;
}

/** A device-mapper map over all paths of one volume. */
export interface MultipathMap {
  readonly kind: 'multipath';
  readonly path: DevicePath;
  /** The map's name below /dev/mapper, which multipathd goes by. */
  readonly name: string;
  readonly wwid: Wwid;
  readonly sizeBytes: bigint;
  /** The paths below it, as device-mapper has them; empty once all are gone. */
  readonly members: readonly ScsiDisk[];
}

export type BlockDevice = ScsiDisk | MultipathMap;
