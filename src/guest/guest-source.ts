import type { Logger } from '../base/logger.js';
import type { VolumeOptions } from '../config/options.js';
import type { BlockDevice, DevicePath } from '../device/block-device.js';
import { findStableName } from '../device/find-stable-name.js';
import { stableNamesOf } from '../device/stable-names.js';
import type { Clock } from '../host/clock.js';
import type { FileSystem } from '../host/file-system.js';
import type { Domain } from '../libvirt/libvirt.js';

/** What the guest's description calls the device, and what the caller must be told of that. */
export interface GuestSource {
  readonly path: DevicePath;
  readonly warnings: readonly string[];
}

export interface GuestSourceParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: Pick<VolumeOptions, 'deviceTimeoutMs'>;
}

/**
 * A guest that libvirt keeps is started from its description after a reboot, when /dev/sda may be another volume: it
 * gets a name that is made of the volume's WWID. One that ends with its process gets the kernel's name.
 * docs/decisions/0011-lasting-names.md
 */
export async function guestSourceOf(
  device: BlockDevice,
  { persistent }: Pick<Domain, 'persistent'>,
  { files, clock, logger, options: { deviceTimeoutMs } }: GuestSourceParts,
  signal: AbortSignal,
): Promise<GuestSource> {
  const name = persistent ? await findStableName(device, { files, clock, deviceTimeoutMs }, signal) : undefined;
  if (name !== undefined || !persistent) return { path: name ?? device.path, warnings: [] };
  const warning =
    `the guest's stored configuration has ${device.path}, which may be another disk once this host ` +
    `has restarted: ${whyNone(device)}`;
  logger.warn('The guest has no lasting name for the volume', {
    device: device.path,
    wwid: device.wwid,
    reason: warning,
  });
  return { path: device.path, warnings: [warning] };
}

function whyNone(device: BlockDevice): string {
  if (device.wwid === undefined) return 'it reports no WWID';
  const names = stableNamesOf(device);
  return names.length === 0
    ? `udev makes no name of the WWID ${device.wwid}`
    : `no ${names.join(' or ')} leads to it: udev does not run, or another path of the volume has it`;
}
