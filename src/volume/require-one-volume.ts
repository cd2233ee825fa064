import { VolumeError } from '../base/volume-error.js';
import type { ScsiDisk } from '../device/block-device.js';
import type { Wwid } from '../device/wwid.js';

/** Every path must show the same unit, else one of them is somebody else's. @throws {VolumeError} `DEVICE_MISMATCH` */
export function requireOneVolume(disks: readonly ScsiDisk[]): void {
  const wwids = [...new Set(disks.flatMap(({ wwid }) => wwid ?? []))];
  if (wwids.length > 1)
    throw new VolumeError(
      'DEVICE_MISMATCH',
      `Cannot tell which disk is the volume: its paths show ${wwids.join(' and ')}`,
      { details: { wwids } },
    );
}

/**
 * A map's disks must be what it was made of: by now the kernel may know them for another volume.
 * @throws {VolumeError} `DEVICE_MISMATCH`
 */
export function requireMadeOf({ mapWwid }: { readonly mapWwid: Wwid | undefined }, disks: readonly ScsiDisk[]): void {
  const other = mapWwid === undefined ? undefined : disks.find(({ wwid }) => wwid !== mapWwid);
  if (other === undefined) return;
  throw new VolumeError(
    'DEVICE_MISMATCH',
    `Cannot use ${other.path}: it is ${other.wwid ?? 'a unit without a WWID'} by now, and the volume's map was ` +
      `made of ${mapWwid ?? ''}`,
    {
      hint: 'the storage has put another volume under the LUN: detach what uses it first',
      details: { device: other.path, found: other.wwid, expected: mapWwid },
    },
  );
}
