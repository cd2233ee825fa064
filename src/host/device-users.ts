export interface DeviceUser {
  readonly pid: number;
  readonly name: string;
}

/** Who has a block device open. QEMU opens its disks without O_EXCL, so only the open files of every process tell. */
export interface DeviceUsers {
  usersOf(devicePath: string, signal: AbortSignal): Promise<readonly DeviceUser[]>;
}
