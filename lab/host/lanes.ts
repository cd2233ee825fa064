import { availableParallelism, freemem } from 'node:os';
import type { Accelerator } from './qemu.js';

/** The machine's memory, and QEMU's own for what it has translated. */
const MACHINE_BYTES = 4 * 2 ** 30;
const MOST = 3;

/**
 * How many machines run side by side. An emulated processor takes one of the host's, and two of one machine wait for
 * each other much of the time: two machines of one processor each are faster than one of two. A quarter of its time a
 * machine has nothing to do (the table at the end of a run tells it), so that there is one more than the host has
 * processors. With KVM it is over sooner than a second machine is worth.
 * @throws {Error} when LIBVIRT_VOLUME_LAB_LANES is no number from 1 on
 */
export function laneCount(accelerator: Accelerator, scenarios: number): number {
  const wish = process.env['LIBVIRT_VOLUME_LAB_LANES'];
  if (wish !== undefined && !/^[1-9]\d?$/.test(wish))
    throw new Error(`Cannot use LIBVIRT_VOLUME_LAB_LANES=${wish}: it is the number of machines, 1 or more`);
  const most =
    wish === undefined ? lanesOf({ accelerator, cpus: availableParallelism(), freeBytes: freemem() }) : Number(wish);
  return Math.max(1, Math.min(most, scenarios));
}

export function lanesOf({
  accelerator,
  cpus,
  freeBytes,
}: {
  readonly accelerator: Accelerator;
  readonly cpus: number;
  readonly freeBytes: number;
}): number {
  return accelerator === 'kvm' ? 1 : Math.max(1, Math.min(MOST, cpus + 1, Math.floor(freeBytes / MACHINE_BYTES)));
}
