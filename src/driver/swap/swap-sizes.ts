import { VolumeError } from '../../base/volume-error.js';
import type { GuestDisk } from '../../guest/guest-disk.js';
import { type ConnectedVolume, sourcePathsOf } from '../../volume/connected-volume.js';

/** What an earlier swap began, and did not end. */
export function isCopiedTo({ mirror }: GuestDisk, volume: ConnectedVolume): boolean {
  const paths: readonly string[] = sourcePathsOf(volume);
  return mirror?.sourcePath !== undefined && paths.includes(mirror.sourcePath);
}

/** How large the disk is that the guest sees. */
function sizeOf({ sliceBytes }: GuestDisk, { device: { sizeBytes } }: ConnectedVolume): number {
  return sliceBytes ?? sizeBytes;
}

/** How much of the new volume the disk will be, where that is larger. */
export function sliceFor(disk: GuestDisk, old: ConnectedVolume, { device }: ConnectedVolume): number | undefined {
  return device.sizeBytes === sizeOf(disk, old) ? undefined : sizeOf(disk, old);
}

/** @throws {VolumeError} `USAGE`, `RESIZE_FAILED` */
export function requireFitting(disk: GuestDisk, old: ConnectedVolume, { device }: ConnectedVolume): void {
  const { path, wwid } = old.device;
  if (path === device.path || (wwid !== undefined && wwid === device.wwid))
    throw new VolumeError(
      'USAGE',
      `Cannot swap a volume for itself: ${path} and ${device.path} are ${device.wwid ?? 'one device'}`,
    );
  const needed = sizeOf(disk, old);
  if (device.sizeBytes >= needed) return;
  throw new VolumeError(
    'RESIZE_FAILED',
    `Cannot swap the volume: the new one has ${device.sizeBytes} bytes, and the guest's disk has ${needed}: ` +
      'nothing may become smaller under a guest',
    {
      hint: 'make the new volume at least as large as the old one',
      details: { oldSizeBytes: needed, newSizeBytes: device.sizeBytes },
    },
  );
}
