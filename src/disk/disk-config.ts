import type { CacheMode } from '../config/options.js';
import type { QosSpecs } from '../connection/qos-specs.js';
import type { DiskSettings } from './disk-settings.js';

export const BUSES = ['virtio', 'scsi', 'sata', 'ide', 'usb', 'fdc'] as const;
export type Bus = (typeof BUSES)[number];
export const DEVICE_TYPES = ['disk', 'cdrom', 'lun'] as const;
export type DeviceType = (typeof DEVICE_TYPES)[number];

/** Where the guest shall see the disk, and how it is run: disk_info, read and believed. */
export interface DiskTarget extends DiskSettings {
  readonly dev: string;
  readonly bus: Bus;
  readonly type: DeviceType;
  /** The unit on controller 0; only for bus `scsi`. */
  readonly unit: number | undefined;
}

/** All that libvirt is told about one disk. */
export interface DiskConfig {
  readonly sourcePath: string;
  readonly target: DiskTarget;
  /** `name="qemu"` in the driver element; absent for other hypervisors. */
  readonly driverName: 'qemu' | undefined;
  readonly cache: CacheMode;
  readonly io: 'native' | 'threads' | undefined;
  readonly discard: 'unmap' | undefined;
  /** Without the `ua-` that libvirt demands of aliases a user gives; `undefined` for none. */
  readonly alias: string | undefined;
  readonly serial: string | undefined;
  readonly qos: QosSpecs;
  readonly logicalBlockSize: number | undefined;
  readonly physicalBlockSize: number | undefined;
  readonly readonly: boolean;
  readonly shareable: boolean;
  /** The UUID of the libvirt secret that opens the LUKS volume. */
  readonly secretUuid: string | undefined;
}

/**
 * The alias that attach() gives the disk and that detach() finds it by.
 * @returns `undefined` where there can be none: libvirt 9.0.0 drops an alias with any other character, even a dot,
 * without a word; a detach would wait for its event in vain
 */
export function userAlias(volumeId: string | undefined): string | undefined {
  return volumeId !== undefined && /^[A-Za-z0-9_-]+$/.test(volumeId) ? volumeId : undefined;
}
