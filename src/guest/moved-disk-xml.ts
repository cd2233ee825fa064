import { quoted } from '../base/quoted.js';
import { writeXml } from '../base/write-xml.js';
import { parseXml } from './xml-elements.js';

/** What a stored disk is to be called, and where it is, once another volume has taken its place. */
export interface MovedDisk {
  readonly devicePath: string;
  /** `ua-` and the new volume's id; `undefined` for none. */
  readonly alias: string | undefined;
  readonly serial: string | undefined;
}

/** Elements that say which volume it was. */
const OF_THE_VOLUME: readonly string[] = ['source', 'alias', 'serial', 'backingStore', 'mirror'];

/**
 * A stored disk's description with another volume behind it. All else stays, above all its place in the guest: target,
 * address, boot order.
 * @throws {SyntaxError} when the text is no disk
 */
export function movedDiskXml(storedXml: string, { devicePath, alias, serial }: MovedDisk): string {
  const { name, attributes, children } = parseXml(storedXml);
  if (name !== 'disk') throw new SyntaxError(`Cannot read ${quoted(storedXml)} as a disk: the element is <${name}>`);
  const moved = writeXml({
    name: 'disk',
    attributes: { ...attributes, type: 'block' },
    content: [
      { name: 'source', attributes: { dev: devicePath } },
      ...(alias === undefined ? [] : [{ name: 'alias', attributes: { name: alias } }]),
      ...(serial === undefined ? [] : [{ name: 'serial', content: serial }]),
    ],
  });
  const kept = children.filter((child) => !OF_THE_VOLUME.includes(child.name)).map(({ source }) => source);
  return moved.replace(/<\/disk>$/, () => `${kept.join('')}</disk>`);
}

/**
 * Where a block copy shall go: libvirt reads source and format and nothing else (src/qemu/qemu_driver.c,
 * qemuDomainBlockCopy), and with a format it never guesses one from the data.
 * @param sliceBytes how much of a device that is larger than the disk is written to, from its start: QEMU copies to
 * nothing of another size, "Source and target image have different sizes" (since QEMU 5.1, block/mirror.c,
 *   mirror_run; lab/scenarios/swap.ts)
 */
export function copyTargetXml(devicePath: string, sliceBytes: number | undefined): string {
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
