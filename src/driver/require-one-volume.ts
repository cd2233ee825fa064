import { VolumeError } from '../base/volume-error.js';
import type { ScsiDisk } from '../device/block-device.js';

/** Every path must show the same unit, else one of them is somebody else's. @throws {VolumeError} `DEVICE_MISMATCH` */
export function requireOneVolume(disks: readonly ScsiDisk[]): void {
  const wwids = [...new Set(disks.flatMap(({ wwid }) => wwid ?? []))];
  if (wwids.length > 1) throw new VolumeError('DEVICE_MISMATCH', `Cannot tell which disk is the volume: its paths show ${wwids.join(' and ')}`, { details: { wwids } });
}
