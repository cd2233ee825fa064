import type { GuestDisk } from './guest-disk.js';

/** QEMU has no hot-plug for these (libvirt, src/qemu/qemu_hotplug.c, qemuDomainAttachDeviceDiskLiveInternal and qemuDomainDetachPrepDisk; lab/scenarios/guest-life.ts). */
const FIXED_BUSES = ['sata', 'ide', 'fdc'];

/** What of a disk keeps it to the start and the end of a guest. */
export interface ColdPlugOnly {
  /** The key of the disk_info that holds it. */
  readonly key: 'type' | 'bus';
  readonly what: string;
}

/**
 * Why libvirt gives such a disk to no running QEMU guest, and takes it from none. Where the guest has a drive of that name, it would take the attach of a cdrom for a change of the medium, which no detach undoes
 * (qemuDomainAttachDeviceDiskLive): a drive on USB alone comes and goes itself.
 * @returns `undefined` for a disk that comes and goes while the guest runs
 */
export function coldPlugOnly({ device, bus }: Pick<GuestDisk, 'device' | 'bus'>): ColdPlugOnly | undefined {
  if (device === 'cdrom' && bus !== 'usb') return { key: 'type', what: 'a cdrom' };
  return bus !== undefined && FIXED_BUSES.includes(bus) ? { key: 'bus', what: `a disk on the bus ${bus}` } : undefined;
}
