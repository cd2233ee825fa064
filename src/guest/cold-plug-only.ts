import type { GuestDisk } from './guest-disk.js';

/**
 * Those on which QEMU plugs nothing into a guest that runs. Of sata QEMU 7.2 says "Bus 'ide.3' does not support
 * hotplugging", and libvirt 11 before it "disk bus 'sata' cannot be hotplugged" (lab/scenarios/guest-life.ts); ide is
 * the same bus to QEMU, and fdc has its drives from the start.
 */
const FIXED_BUSES = ['sata', 'ide', 'fdc'];

/**
 * Whether a QEMU guest has such a disk from its start to its end: none comes to it while it runs, and none leaves it.
 */
export function coldPlugOnly({ bus }: Pick<GuestDisk, 'bus'>): boolean {
  return bus !== undefined && FIXED_BUSES.includes(bus);
}
