export const DETECT_ZEROES = ['off', 'on', 'unmap'] as const;
export type DetectZeroes = (typeof DETECT_ZEROES)[number];
export const ERROR_POLICIES = ['stop', 'report', 'ignore', 'enospace'] as const;
export type ErrorPolicy = (typeof ERROR_POLICIES)[number];
/** `enospace` is for writes alone (libvirt, src/conf/domain_conf.c, virDomainDiskDefDriverParseXML). */
export const READ_ERROR_POLICIES = ['stop', 'report', 'ignore'] as const;
export type ReadErrorPolicy = (typeof READ_ERROR_POLICIES)[number];

/**
 * How QEMU runs the disk, where the service has a say in it; `undefined` leaves it to libvirt. nova has none of these.
 */
export interface DiskSettings {
  readonly detectZeroes: DetectZeroes | undefined;
  /** What the guest sees of a write that failed. */
  readonly errorPolicy: ErrorPolicy | undefined;
  readonly rerrorPolicy: ReadErrorPolicy | undefined;
  /** The number of one of the guest's I/O threads; only for bus `virtio`. */
  readonly iothread: number | undefined;
  /** How many request queues the guest gets; only for bus `virtio`. */
  readonly queues: number | undefined;
  /** 1 for a disk that does not rotate, else revolutions a minute; only for a disk on bus `scsi`, `sata` or `ide`. */
  readonly rotationRate: number | undefined;
}

/** Each setting as disk_info calls it. */
export const SETTING_KEYS: Readonly<Record<keyof DiskSettings, string>> = {
  detectZeroes: 'detect_zeroes',
  errorPolicy: 'error_policy',
  rerrorPolicy: 'rerror_policy',
  iothread: 'iothread',
  queues: 'queues',
  rotationRate: 'rotation_rate',
};
