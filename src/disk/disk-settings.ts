import { quoted } from '../base/quoted.js';
import { readAll } from '../base/read-all.js';
import type { Bus, DeviceType } from './disk-config.js';
import { invalidDiskInfo, isAbsent, stateOf } from './invalid-disk-info.js';

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

/**
 * QEMU ends itself, and the guest with it, at a queue more than it can hold (QEMU, hw/virtio/virtio.c,
 * virtio_add_queue: abort() at VIRTIO_QUEUE_MAX).
 */
const MOST_QUEUES = 1024;
/** libvirt counts them in 32 bits (src/conf/domain_conf.c, virDomainDiskDefDriverParseXML). */
const HIGHEST_IOTHREAD = 2 ** 32 - 1;
/**
 * libvirt, docs/formatdomain.rst, rotation_rate: 1, or 1025 to 65534. libvirt hands on any number; the standard
 * reserves those between (SBC, Block Device Characteristics VPD page).
 */
const LOWEST_RATE = 1025;
const HIGHEST_RATE = 65534;
const ROTATING_BUSES: readonly Bus[] = ['scsi', 'sata', 'ide'];

/**
 * The keys of a disk_info that say how QEMU shall run the disk. A bus that does not have a setting is refused here, as
 * libvirt would after the connect.
 * @param bus undefined where it is no bus: then what depends on it is not judged
 * @throws {VolumeError} `DISK_INFO_INVALID`
 */
export function readDiskSettings(
  given: Readonly<Record<string, unknown>>,
  bus: Bus | undefined,
  type: DeviceType,
): DiskSettings {
  const valueOf = (setting: keyof DiskSettings): Given => ({
    key: SETTING_KEYS[setting],
    value: given[SETTING_KEYS[setting]],
  });
  return readAll({
    detectZeroes: () => readChoice(valueOf('detectZeroes'), DETECT_ZEROES),
    errorPolicy: () => readChoice(valueOf('errorPolicy'), ERROR_POLICIES),
    rerrorPolicy: () => readChoice(valueOf('rerrorPolicy'), READ_ERROR_POLICIES),
    iothread: () => readIothread(valueOf('iothread'), bus),
    queues: () => readQueues(valueOf('queues'), bus),
    rotationRate: () => readRotationRate(valueOf('rotationRate'), bus, type),
  });
}

interface Given {
  readonly key: string;
  readonly value: unknown;
}

function readChoice<Choice extends string>({ key, value }: Given, choices: readonly Choice[]): Choice | undefined {
  if (isAbsent(value)) return undefined;
  const choice = choices.find((known) => known === value);
  if (choice !== undefined) return choice;
  throw invalidDiskInfo(key, stateOf(value), `one of ${choices.join(', ')}`);
}

/** libvirt, src/qemu/qemu_validate.c, qemuValidateDomainDeviceDefDiskIOThreads. */
function readIothread({ key, value }: Given, bus: Bus | undefined): number | undefined {
  if (isAbsent(value)) return undefined;
  if (bus === 'scsi')
    throw invalidDiskInfo(
      key,
      `is ${quoted(value)} beside the bus scsi`,
      "none: there the I/O thread is the guest's virtio-scsi " +
        "controller's (<controller><driver iothread>), for all its disks",
    );
  if (bus !== undefined && bus !== 'virtio')
    throw invalidDiskInfo(key, `is ${quoted(value)} beside the bus ${bus}`, 'an I/O thread only beside the bus virtio');
  return wholeNumber({ key, value }, 1, HIGHEST_IOTHREAD);
}

/** libvirt, src/conf/domain_validate.c, virDomainDiskDefValidate: "only supported by virtio-blk". */
function readQueues({ key, value }: Given, bus: Bus | undefined): number | undefined {
  if (isAbsent(value)) return undefined;
  if (bus !== undefined && bus !== 'virtio')
    throw invalidDiskInfo(key, `is ${quoted(value)} beside the bus ${bus}`, 'queues only beside the bus virtio');
  return wholeNumber({ key, value }, 1, MOST_QUEUES);
}

/**
 * libvirt, src/qemu/qemu_validate.c, qemuValidateDomainDeviceDefDiskFrontend: "only valid for SCSI/IDE/SATA bus", "only
 * valid for disk device".
 */
function readRotationRate({ key, value }: Given, bus: Bus | undefined, type: DeviceType): number | undefined {
  if (isAbsent(value)) return undefined;
  if (bus !== undefined && !ROTATING_BUSES.includes(bus))
    throw invalidDiskInfo(
      key,
      `is ${quoted(value)} beside the bus ${bus}`,
      `a rotation rate only beside the bus ${ROTATING_BUSES.join(', ')}`,
    );
  if (type !== 'disk')
    throw invalidDiskInfo(key, `is ${quoted(value)} beside the type ${type}`, 'a rotation rate only for the type disk');
  const expected = `1 for a disk that does not rotate, or ${LOWEST_RATE} to ${HIGHEST_RATE} revolutions a minute`;
  const rate = wholeNumber({ key, value }, 1, HIGHEST_RATE, expected);
  if (rate !== 1 && rate < LOWEST_RATE) throw invalidDiskInfo(key, stateOf(value), expected);
  return rate;
}

/** As number or text. */
function wholeNumber(
  { key, value }: Given,
  lowest: number,
  highest: number,
  expected = `a whole number from ${lowest} to ${highest}`,
): number {
  const number = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= lowest && number <= highest) return number;
  throw invalidDiskInfo(key, stateOf(value), expected);
}
