import { VolumeError } from '../base/volume-error.js';
import type { MultipathMap, ScsiDisk } from '../device/block-device.js';

/**
 * A map that is larger than one of its disks was made of another volume, or of one that has shrunk since: what is
 * written to its end goes nowhere.
 * @throws {VolumeError} `DEVICE_MISMATCH`
 */
export function requireSizeOf({ path, name, id, sizeBytes }: MultipathMap, disks: readonly ScsiDisk[]): void {
  const smaller = disks.find((disk) => disk.sizeBytes < sizeBytes);
  if (smaller === undefined) return;
  throw new VolumeError(
    'DEVICE_MISMATCH',
    `Cannot use the map ${name} (${path}): it has ${sizeBytes} bytes, and its disk ${smaller.path} has ` +
      `${smaller.sizeBytes} by now`,
    {
      hint:
        'nothing was touched: the storage has put another volume under the LUN, or made this one smaller; ' +
        'detach what uses it first',
      details: {
        device: path,
        map: name,
        id,
        disk: smaller.path,
        found: smaller.sizeBytes,
        expected: sizeBytes,
      },
    },
  );
}

/** A volume that grew at the storage has its old size here until it is extended. */
export function sizeWarnings({ name, sizeBytes }: MultipathMap, disks: readonly ScsiDisk[]): readonly string[] {
  const larger = disks.find((disk) => disk.sizeBytes > sizeBytes);
  return larger === undefined
    ? []
    : [`the map ${name} has ${sizeBytes} bytes and its disks have ${larger.sizeBytes} by now: extend the volume`];
}
