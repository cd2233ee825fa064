import type { Bus, DeviceType } from './disk-config.js';
import type { DetectZeroes, ErrorPolicy, ReadErrorPolicy } from './disk-settings.js';

/**
 * Where the guest shall see the volume, as nova's `disk_info` says it, and how QEMU shall run the disk
 * (docs/disk-xml.md). The type helps those who write one; every method reads what it gets as `unknown` and tells all
 * that is wrong with it. `null` counts as absent. Other keys are passed over.
 */
export interface DiskInfo {
  /** The disk's name in the guest: `vdb`, `sda`, `hdc`. */
  readonly dev: string;
  readonly bus: Bus;
  /** `disk` where it is absent. */
  readonly type?: DeviceType | null | undefined;
  /** 0 to 255, on bus `scsi` alone. */
  readonly unit?: number | string | null | undefined;
  readonly detect_zeroes?: DetectZeroes | null | undefined;
  readonly error_policy?: ErrorPolicy | null | undefined;
  readonly rerror_policy?: ReadErrorPolicy | null | undefined;
  /** The number of one of the guest's I/O threads, on bus `virtio` alone. */
  readonly iothread?: number | string | null | undefined;
  /** 1 to 1024, on bus `virtio` alone. */
  readonly queues?: number | string | null | undefined;
  /** 1 for a disk that does not rotate, else revolutions a minute; on bus `scsi`, `sata` or `ide` alone. */
  readonly rotation_rate?: number | string | null | undefined;
  readonly [other: string]: unknown;
}
