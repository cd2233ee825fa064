import { VolumeError } from '../../base/volume-error.js';
import type { GuestDisk } from '../../guest/guest-disk.js';
import type { Domain } from '../../libvirt/libvirt.js';

/** Only QEMU can copy what a guest writes to meanwhile. */
export function notRunning({ name }: Domain): VolumeError {
  return new VolumeError(
    'LIBVIRT_REFUSED',
    `Cannot swap a volume of guest "${name}": it does not run, and only a running guest copies its disk`,
    {
      hint: 'copy the volume at the storage, then detach the old one and attach the new one',
      details: { guest: name },
    },
  );
}

/** The guest has detached what it was, and has one of the two volumes as another disk. */
export function otherDisk(name: string, before: GuestDisk, now: GuestDisk): VolumeError {
  return new VolumeError(
    'COPY_FAILED',
    `Cannot move ${before.targetDev} of guest "${name}" to the new volume: the guest has ${now.targetDev} in its place`,
    { hint: 'see what the guest has, then swap again', details: { guest: name, targetDev: now.targetDev } },
  );
}

/** Nobody may change anything without the locks: all stays as it is, for the next swap. */
export function notLocked({ name }: Domain, { targetDev }: GuestDisk, cause: unknown): VolumeError {
  return new VolumeError(
    'CLEANUP_INCOMPLETE',
    `Cannot end the swap of ${targetDev} of guest "${name}": its locks are not free, and the guest may have both ` +
      'volumes open',
    { cause, hint: 'swap again: a copy resumes', details: { guest: name, targetDev } },
  );
}
