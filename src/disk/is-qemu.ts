import type { VirtType } from '../config/options.js';

/** Whether libvirt's QEMU driver runs the guest, with KVM or without. */
export function isQemu(virtType: VirtType): boolean {
  return virtType === 'kvm' || virtType === 'qemu';
}
