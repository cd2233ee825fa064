import { quoted } from '../base/quoted.js';
import { VolumeError } from '../base/volume-error.js';
import type { VolumeOptions } from '../config/options.js';
import type { VolumeFacts } from '../connection/iscsi-connection.js';
import type { DiskTarget } from '../disk/disk-config.js';
import type { Domain } from '../libvirt/libvirt.js';
import { coldPlugOnly } from './guest-disk.js';

/** Before anything is done for a disk that QEMU's guest cannot get as it is. */
export function refuseColdPlugOnly(
  { bus }: DiskTarget,
  { name, active }: Domain,
  { virtType }: Pick<VolumeOptions, 'virtType'>,
): void {
  if (!active || (virtType !== 'kvm' && virtType !== 'qemu') || !coldPlugOnly({ bus })) return;
  throw new VolumeError(
    'DISK_INFO_INVALID',
    `Cannot attach the volume: bus is ${quoted(bus)}, and guest "${name}" runs: QEMU plugs nothing into that bus ` +
      'then: expected virtio or scsi',
    {
      hint: 'Shut the guest down and attach then: it has the disk from its next start on',
      details: { key: 'bus', guest: name },
    },
  );
}

/**
 * The guest sees such a volume without its LUKS header: the size that its disk must get is not that of the device
 * (nova, LP1861071, LP1967157).
 */
export function refuseEncryptedGrowth({ encrypted }: VolumeFacts): void {
  if (!encrypted) return;
  throw new VolumeError(
    'CONNECTION_INFO_INVALID',
    'Cannot tell the guest the size of the volume: data.encrypted is true, and the guest sees less than the device',
    {
      hint:
        'extend it without the guest, then virsh blockresize DOMAIN PATH with ' +
        'the size less the LUKS payload offset',
      details: { key: 'data.encrypted' },
    },
  );
}
