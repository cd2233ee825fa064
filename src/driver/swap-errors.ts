import { VolumeError } from '../base/volume-error.js';
import type { GuestDisk } from '../guest/guest-disk.js';
import type { Domain } from '../libvirt/libvirt.js';

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

/** The old volume is another disk of the guest than when the copy began. */
export function otherDisk(name: string, before: GuestDisk, now: GuestDisk): VolumeError {
  return new VolumeError(
    'COPY_FAILED',
    `Cannot move ${before.targetDev} of guest "${name}" to the new volume: the old one is ${now.targetDev} by now`,
    { hint: 'swap again', details: { guest: name, targetDev: now.targetDev } },
  );
}

/** Nobody may change anything without the locks: the copy stays as it is, for the next swap. */
export function notLocked({ name }: Domain, { targetDev }: GuestDisk, cause: unknown): VolumeError {
  return new VolumeError(
    'CLEANUP_INCOMPLETE',
    `Cannot end the swap of ${targetDev} of guest "${name}": the copy goes on, and the guest has both volumes open`,
    { cause, hint: 'swap again: the copy resumes', details: { guest: name, targetDev } },
  );
}
