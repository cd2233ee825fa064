import { create } from 'xmlbuilder2';

/** Where a block copy shall go: libvirt reads source and format and nothing else (src/qemu/qemu_driver.c, qemuDomainBlockCopy), and with a format it never guesses one from the data. */
export function copyTargetXml(devicePath: string): string {
  const disk = create().ele('disk', { type: 'block', device: 'disk' });
  disk.ele('driver', { name: 'qemu', type: 'raw' });
  disk.ele('source', { dev: devicePath });
  return disk.doc().end({ headless: true });
}
