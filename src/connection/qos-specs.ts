/** The throttles that libvirt knows, in nova's order (libvirt, formatdomain, iotune). */
export const QOS_KEYS = [
  'read_bytes_sec',
  'read_iops_sec',
  'write_bytes_sec',
  'write_iops_sec',
  'total_bytes_sec',
  'total_iops_sec',
  'read_bytes_sec_max',
  'write_bytes_sec_max',
  'total_bytes_sec_max',
  'read_iops_sec_max',
  'write_iops_sec_max',
  'total_iops_sec_max',
  'size_iops_sec',
] as const;

export type QosKey = (typeof QOS_KEYS)[number];

/** Throttles of one disk: bytes or operations a second, as decimal text. */
export type QosSpecs = Readonly<Partial<Record<QosKey, string>>>;
