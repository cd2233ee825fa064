import { VolumeError } from '../base/volume-error.js';
import type { VirtType } from '../config/options.js';
import type { VolumeFacts } from '../connection/iscsi-connection.js';
import type { DiskTarget } from './disk-config.js';
import { type DiskSettings, SETTING_KEYS } from './disk-settings.js';
import { invalidDiskInfo } from './invalid-disk-info.js';

/**
 * Refuses what does not go together: what only QEMU has, for another hypervisor, which would pass it over in silence;
 * and zeroes that shall be unmapped on a disk that unmaps nothing.
 * @throws {VolumeError} `CONNECTION_INFO_INVALID`, `DISK_INFO_INVALID`
 */
export function requireDescribable(connection: VolumeFacts, target: DiskTarget, virtType: VirtType): void {
  if (!isQemu(virtType)) {
    refuseBlockSizes(connection, virtType);
    refuseSettings(target, virtType);
  }
  // libvirt takes it for "on" without a word (src/conf/domain_conf.c, virDomainDiskGetDetectZeroesMode).
  if (target.detectZeroes === 'unmap' && !connection.discard) {
    throw invalidDiskInfo(
      'detect_zeroes',
      'is "unmap", and the connection_info has no data.discard: nothing would be unmapped',
      'on or off, or data.discard true',
    );
  }
}

function refuseBlockSizes({ logicalBlockSize, physicalBlockSize }: VolumeFacts, virtType: VirtType): void {
  if (logicalBlockSize === undefined && physicalBlockSize === undefined) return;
  const key = logicalBlockSize === undefined ? 'data.physical_block_size' : 'data.logical_block_size';
  throw new VolumeError(
    'CONNECTION_INFO_INVALID',
    `Cannot use the connection_info: ${key} needs virt_type kvm or qemu, and it is ${virtType}`,
    {
      hint: 'Set virt_type to kvm or qemu, or make the volume of a type without block sizes',
      details: { key, virtType },
    },
  );
}

function refuseSettings(target: DiskSettings, virtType: VirtType): void {
  for (const [setting, key] of Object.entries(SETTING_KEYS) as readonly (readonly [keyof DiskSettings, string])[]) {
    if (target[setting] !== undefined)
      throw invalidDiskInfo(
        key,
        `is ${target[setting]} and virt_type is ${virtType}`,
        `${key} only with virt_type kvm or qemu`,
      );
  }
}

/** Whether libvirt's QEMU driver runs the guest, with KVM or without. */
export function isQemu(virtType: VirtType): boolean {
  return virtType === 'kvm' || virtType === 'qemu';
}
