import type { GuestDisks } from '../guest/guest-disks.js';
import type { Libvirt } from '../libvirt/libvirt.js';
import type { HostVolumesParts } from '../volume/host-volumes.js';

/** All that a driver works with. */
export interface DriverParts extends HostVolumesParts {
  readonly libvirt: Libvirt;
  readonly guestDisks: GuestDisks;
}
