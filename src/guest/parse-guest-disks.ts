import { quoted } from '../base/quoted.js';
import type { DiskMirror, GuestDisk } from './guest-disk.js';
import { child, parseXml, type XmlElement } from './xml-elements.js';

/**
 * The disks of a domain's description: `<disk>` right below `<devices>`, not those that backing chains, mirrors or
 * metadata hold.
 * @throws {SyntaxError} when the text is no domain's description, or a disk has no target
 */
export function parseGuestDisks(domainXml: string): readonly GuestDisk[] {
  return diskElements(domainXml).map(asGuestDisk);
}

/** Their elements, with their places in the text. @throws {SyntaxError} when the text is no domain's description */
export function diskElements(domainXml: string): readonly XmlElement[] {
  const domain = parseXml(domainXml);
  if (domain.name !== 'domain')
    throw new SyntaxError(`Cannot read ${quoted(domainXml)} as a domain: the element is <${domain.name}>`);
  const devices = domain.children.filter(({ name }) => name === 'devices').flatMap(({ children }) => children);
  return devices.filter(({ name }) => name === 'disk');
}

/**
 * One `<disk>` element that stands alone.
 * @throws {SyntaxError} when it is none, or has no target
 */
export function parseGuestDisk(diskXml: string): GuestDisk {
  const disk = parseXml(diskXml);
  if (disk.name !== 'disk')
    throw new SyntaxError(`Cannot read ${quoted(diskXml)} as a disk: the element is <${disk.name}>`);
  return asGuestDisk(disk);
}

/** @throws {SyntaxError} when the disk has no target */
export function asGuestDisk(disk: XmlElement): GuestDisk {
  const target = child(disk, 'target')?.attributes;
  const source = child(disk, 'source')?.attributes;
  if (target?.['dev'] === undefined)
    throw new SyntaxError(`Cannot read ${quoted(disk.source)} as a disk: it has no target`);
  return {
    targetDev: target['dev'],
    bus: target['bus'],
    device: disk.attributes['device'] ?? 'disk', // libvirt, docs/formatdomain.rst: the default
    sourcePath: source?.['dev'] ?? source?.['file'],
    serial: child(disk, 'serial')?.text,
    alias: child(disk, 'alias')?.attributes['name'],
    sliceBytes: sliceOf(child(disk, 'source')),
    mirror: mirrorOf(child(disk, 'mirror')),
    secretUuid: secretOf(disk) ?? secretOf(child(disk, 'source')),
    driver: child(disk, 'driver')?.attributes ?? {},
    xml: disk.source,
  };
}

/** libvirt, docs/formatdomain.rst, `slices`: of type `storage` there is one at most. */
function sliceOf(source: XmlElement | undefined): number | undefined {
  const size = child(child(source, 'slices'), 'slice')?.attributes['size'];
  return size !== undefined && /^\d+$/.test(size) ? Number(size) : undefined;
}

function mirrorOf(mirror: XmlElement | undefined): DiskMirror | undefined {
  if (mirror === undefined) return undefined;
  const source = child(mirror, 'source')?.attributes;
  const ready = mirror.attributes['ready'];
  return {
    sourcePath: source?.['dev'] ?? source?.['file'],
    state: ready === 'yes' || ready === 'pivot' || ready === 'abort' ? ready : 'copying',
  };
}

/**
 * libvirt prints `<encryption>` where it was given: below the disk, or below its source (libvirt,
 * docs/formatstorageencryption.rst).
 */
function secretOf(element: XmlElement | undefined): string | undefined {
  return child(child(element, 'encryption'), 'secret')?.attributes['uuid'];
}
