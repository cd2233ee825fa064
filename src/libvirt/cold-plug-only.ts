import type { GuestDisk } from './guest-disk.js';

/** Those on which QEMU plugs nothing into a guest that runs: "Bus 'ide.3' does not support hotplugging" of sata (lab/scenarios/guest-life.ts); ide is the same bus to it, and fdc has its drives from the start. */
const FIXED_BUSES = ['sata', 'ide', 'fdc'];

/** Whether a QEMU guest has such a disk from its start to its end: none comes to it while it runs, and none leaves it. */
export function coldPlugOnly({ bus }: Pick<GuestDisk, 'bus'>): boolean {
  return bus !== undefined && FIXED_BUSES.includes(bus);
}
