import { quoted } from '../base/quoted.js';
import { readAll } from '../base/read-all.js';
import { type Bus, BUSES, DEVICE_TYPES, type DeviceType, type DiskTarget } from './disk-config.js';
import { readDiskSettings } from './disk-settings.js';
import { invalidDiskInfo, isAbsent, stateOf } from './invalid-disk-info.js';

/**
 * A disk's name in the guest: libvirt's prefixes (domaincommon.rng, diskTargetDev), then the letters that count the
 * disks.
 */
const TARGET_DEV = /^(?:vd|sd|hd|fd|xvd)[a-z]{1,3}$/;
/** nova gives virtio-scsi disks the units 0 to 255 of controller 0. */
const HIGHEST_UNIT = 255;

/**
 * Reads nova's disk_info: where the guest shall see the disk; and beside nova's keys how QEMU shall run it. Keys of
 * other concern (`boot_index`, `format`) are ignored, `null` counts as absent.
 * @throws {VolumeError} `DISK_INFO_INVALID` that names the key, says what is wrong with it and what would be right
 */
export function readDiskInfo(value: unknown): DiskTarget {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidDiskInfo('disk_info', `is ${quoted(value)}`, 'an object such as { "dev": "vdb", "bus": "virtio" }');
  }
  const given = value as Readonly<Record<string, unknown>>;
  const bus = isKnown(BUSES, given['bus']) ? given['bus'] : undefined;
  const type = isKnown(DEVICE_TYPES, given['type']) ? given['type'] : 'disk';
  const { settings, ...target } = readAll({
    dev: () => readDev(given['dev']),
    bus: () => readBus(given['bus']),
    type: () => readType(given['type']),
    unit: () => readUnit(given['unit'], bus),
    settings: () => readDiskSettings(given, bus, type),
  });
  return { ...target, ...settings };
}

function isKnown<Known>(known: readonly Known[], value: unknown): value is Known {
  return (known as readonly unknown[]).includes(value);
}

function readDev(value: unknown): string {
  if (typeof value === 'string' && TARGET_DEV.test(value)) return value;
  throw invalidDiskInfo('dev', stateOf(value), 'the name of a disk in the guest, such as vdb, sda or hdc');
}

function readBus(value: unknown): Bus {
  const bus = BUSES.find((known) => known === value);
  if (bus !== undefined) return bus;
  throw invalidDiskInfo('bus', stateOf(value), `one of ${BUSES.join(', ')}`);
}

function readType(value: unknown): DeviceType {
  if (isAbsent(value)) return 'disk';
  const type = DEVICE_TYPES.find((known) => known === value);
  if (type !== undefined) return type;
  throw invalidDiskInfo('type', stateOf(value), `one of ${DEVICE_TYPES.join(', ')}`);
}

/** @param bus undefined where it is no bus: then what depends on it is not judged */
function readUnit(value: unknown, bus: Bus | undefined): number | undefined {
  if (isAbsent(value)) return undefined;
  if (bus !== undefined && bus !== 'scsi')
    throw invalidDiskInfo('unit', `is ${quoted(value)} beside the bus ${bus}`, 'a unit only beside the bus scsi');
  const unit = typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : value;
  if (typeof unit === 'number' && Number.isInteger(unit) && unit >= 0 && unit <= HIGHEST_UNIT) return unit;
  throw invalidDiskInfo('unit', stateOf(value), `a whole number from 0 to ${HIGHEST_UNIT}`);
}
