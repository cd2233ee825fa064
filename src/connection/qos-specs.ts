import { quoted } from '../base/quoted.js';

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

/**
 * libvirt refuses a total beside a read or write limit of the same measure; a limit of 0 is none (libvirt,
 * src/conf/domain_validate.c, virDomainDiskDefValidate).
 */
const EXCLUSIVE = ['bytes_sec', 'iops_sec', 'bytes_sec_max', 'iops_sec_max'] as const;

/**
 * Keeps the throttles that libvirt knows and drops what is the storage back end's own business (`minIOPS` and the
 * like).
 * @throws {SyntaxError} when a throttle is not a whole number, or a total stands beside a read or write limit
 */
export function readQosSpecs(value: unknown): QosSpecs {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SyntaxError(`expected an object, not ${quoted(value)}`);
  const given = value as Readonly<Record<string, unknown>>;
  const specs: Partial<Record<QosKey, string>> = {};
  for (const key of QOS_KEYS) {
    if (Object.hasOwn(given, key) && given[key] !== null) specs[key] = asCount(key, given[key]);
  }
  for (const measure of EXCLUSIVE) {
    const beside = (['read', 'write'] as const).find((way) => limits(specs[`${way}_${measure}`]));
    if (limits(specs[`total_${measure}`]) && beside !== undefined) {
      throw new SyntaxError(
        `total_${measure} cannot stand beside ${beside}_${measure}: libvirt takes one or the other`,
      );
    }
  }
  return specs;
}

function limits(count: string | undefined): boolean {
  return count !== undefined && /[1-9]/.test(count);
}

function asCount(key: QosKey, value: unknown): string {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || !/^\d{1,18}$/.test(text))
    throw new SyntaxError(`${key} is ${quoted(value)}: expected a whole number`);
  return text;
}
