import { writeXml } from '../base/write-xml.js';

/**
 * Where a block copy shall go: libvirt reads source and format and nothing else (src/qemu/qemu_driver.c,
 * qemuDomainBlockCopy), and with a format it never guesses one from the data.
 * @param sliceBytes how much of a device that is larger than the disk is written to, from its start: QEMU copies to
 * nothing of another size, "Source and target image have different sizes" (since QEMU 5.1, block/mirror.c,
 *   mirror_run; lab/scenarios/swap.ts)
 */
export function copyTargetXml(devicePath: string, sliceBytes: bigint | undefined): string {
  const slice = { name: 'slice', attributes: { type: 'storage', offset: '0', size: String(sliceBytes) } };
  return writeXml({
    name: 'disk',
    attributes: { type: 'block', device: 'disk' },
    content: [
      { name: 'driver', attributes: { name: 'qemu', type: 'raw' } },
      {
        name: 'source',
        attributes: { dev: devicePath },
        content: sliceBytes === undefined ? [] : [{ name: 'slices', content: [slice] }],
      },
    ],
  });
}
