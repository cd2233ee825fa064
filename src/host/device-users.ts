/** A process that has the device open, or `pid` 0 for the kernel itself (a mount, swap, LVM, device-mapper). */
export interface DeviceUser {
  readonly pid: number;
  readonly name: string;
}

/** Who has a block device open. QEMU opens its disks without O_EXCL, so only the open files of every process tell. */
export interface DeviceUsers {
  /**
   * @param devicePath the whole disk
   * @param numbers `major:minor` of the disk and of each of its partitions
   */
  usersOf(devicePath: string, numbers: readonly string[], signal: AbortSignal): Promise<readonly DeviceUser[]>;
}

/** Daemons that keep or take a disk open only to look at it: they let go by themselves when it goes. */
export const TRANSIENT_OPENERS: ReadonlySet<string> = new Set([
  'multipathd',
  'systemd-udevd',
  '(udev-worker)',
  'udevd',
]);
