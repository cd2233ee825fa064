import type { Lun } from '../connection/lun.js';

/** Where the kernel put a logical unit: H:C:T:L. */
export interface ScsiAddress {
  readonly host: number;
  readonly channel: number;
  readonly target: number;
  /** As the kernel prints it: a 64-bit number in decimal. */
  readonly lun: string;
}

const SCSI_ADDRESS = /^(\d+):(\d+):(\d+):(\d+)$/;

/** @returns the address that a sysfs name such as `3:0:0:1` stands for, or `undefined` for any other name */
export function parseScsiAddress(name: string): ScsiAddress | undefined {
  const [, host, channel, target, lun] = SCSI_ADDRESS.exec(name) ?? [];
  if (host === undefined || channel === undefined || target === undefined || lun === undefined) return undefined;
  return { host: Number(host), channel: Number(channel), target: Number(target), lun };
}

export function formatScsiAddress({ host, channel, target, lun }: ScsiAddress): string {
  return `${host}:${channel}:${target}:${lun}`;
}

/** The unit's LUN as the kernel counts it, which is what a scan takes. */
export function lunOf({ lun }: ScsiAddress): Lun {
  return Number(lun) as Lun;
}
