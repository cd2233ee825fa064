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
