import { quoted } from '../base/quoted.js';
import { VolumeError } from '../base/volume-error.js';
import type { GuestDisk } from './guest-disk.js';
import { asGuestDisk, diskElements } from './parse-guest-disks.js';
import { child, type XmlElement } from './xml-elements.js';

/** What a guest's disk is on one host. */
export interface DiskSource {
  /** The device, as the guest's description has it. */
  readonly path: string;
  /** The libvirt secret that opens an encrypted volume: each host's libvirt has one of its own. */
  readonly secretUuid?: string;
}

/** One disk of a guest that moves: what it is where the guest comes from, and where it goes. JSON-serialisable. */
export interface DiskReplacement {
  /** The name in the guest: `vdb`. */
  readonly targetDev: string;
  /** The alias that attach() gave the disk (`ua-…`). */
  readonly alias?: string;
  readonly from: DiskSource;
  readonly to: DiskSource;
}

/** A piece of the description, by its place, and what takes that place. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The description that a guest takes along to another host: `<source dev>`, and the `<secret uuid>` of an encrypted
 * volume, are the destination's. All else stays byte for byte: libvirt refuses a description that shows the guest other
 * hardware (libvirt, src/conf/domain_conf.c, virDomainDefCheckABIStability). Touches nothing.
 * @param domainXml the running guest's, with `VIR_DOMAIN_XML_MIGRATABLE`; goes to libvirt as
 * `VIR_MIGRATE_PARAM_DEST_XML`, and `VIR_MIGRATE_PARAM_PERSIST_XML`
 * @param disks the `disk` of each connectForMigration()
 * @throws {VolumeError} `DEVICE_NOT_FOUND` when the description has no such disk; `DEVICE_MISMATCH` when the disk is
 * not what the volume was on the source; `USAGE` when the text is no guest's description
 */
export function migrationXml(domainXml: string, disks: readonly DiskReplacement[]): string {
  const known = readDisks(domainXml);
  const edits = disks
    .flatMap((replacement) => editsFor(findDisk(known, replacement), replacement))
    .toSorted((one, other) => one.start - other.start);
  const twice = edits.find(({ start }, index) => index > 0 && start === edits[index - 1]?.start);
  if (twice !== undefined)
    throw new VolumeError(
      'USAGE',
      'Cannot write the description for the destination: one disk is to be replaced twice',
    );
  return edits
    .toReversed()
    .reduce((text, { start, end, text: now }) => `${text.slice(0, start)}${now}${text.slice(end)}`, domainXml);
}

interface DescribedDisk {
  readonly disk: GuestDisk;
  readonly element: XmlElement;
}

function readDisks(domainXml: string): readonly DescribedDisk[] {
  // Places are counted in the text as XML reads it, and a carriage return is no character of its own there (XML 1.0,
  // 2.11). libvirt writes none: libxml2 prints `&#13;`.
  if (domainXml.includes('\r'))
    throw new VolumeError(
      'USAGE',
      "Cannot read the guest's description: it holds a carriage return: expected it as libvirt printed it",
    );
  try {
    return diskElements(domainXml).map((element) => ({ disk: asGuestDisk(element), element }));
  } catch (cause) {
    throw new VolumeError('USAGE', `Cannot read ${quoted(domainXml)} as a guest's description`, { cause });
  }
}

/** By its alias, which nobody else gives; one that was attached without has its name in the guest alone. */
function findDisk(known: readonly DescribedDisk[], { alias, targetDev, from }: DiskReplacement): DescribedDisk {
  const found = known.find(({ disk }) => (alias === undefined ? disk.targetDev === targetDev : disk.alias === alias));
  const details = { targetDev, ...(alias === undefined ? {} : { alias }) };
  if (found === undefined) {
    throw new VolumeError(
      'DEVICE_NOT_FOUND',
      `Cannot write the description for the destination: the guest has no disk ${alias ?? targetDev}`,
      { hint: 'give the description of the running guest that prepareMigration() looked at', details },
    );
  }
  const { disk } = found;
  if (disk.targetDev === targetDev && disk.sourcePath === from.path && disk.secretUuid === from.secretUuid)
    return found;
  throw new VolumeError(
    'DEVICE_MISMATCH',
    `Cannot write the description for the destination: the disk ${alias ?? targetDev} is ${wordsOf(disk)}; ` +
      `expected ${wordsOf({ targetDev, sourcePath: from.path, secretUuid: from.secretUuid })}`,
    {
      hint: 'the guest has changed since prepareMigration(): begin with that again',
      details,
    },
  );
}

function wordsOf({
  targetDev,
  sourcePath,
  secretUuid,
}: Pick<GuestDisk, 'targetDev' | 'sourcePath' | 'secretUuid'>): string {
  return (
    `${targetDev} on ` +
    `${sourcePath ?? 'no device'}${secretUuid === undefined ? '' : ` with the secret ${secretUuid}`}`
  );
}

function editsFor({ element }: DescribedDisk, { targetDev, to }: DiskReplacement): readonly Edit[] {
  const source = child(element, 'source');
  const secret = [element, source]
    .map((parent) => child(child(parent, 'encryption'), 'secret'))
    .find((one) => one?.attributes['uuid'] !== undefined);
  if ((secret === undefined) !== (to.secretUuid === undefined)) {
    throw new VolumeError(
      'DEVICE_MISMATCH',
      `Cannot write the description for the destination: the disk ${targetDev} is ` +
        (secret === undefined
          ? 'not encrypted, and the destination has a secret for it'
          : 'encrypted, and the destination has no secret for it'),
      { details: { targetDev } },
    );
  }
  return [
    ...setAttribute(source, source?.attributes['dev'] === undefined ? 'file' : 'dev', to.path),
    ...(to.secretUuid === undefined ? [] : setAttribute(secret, 'uuid', to.secretUuid)),
  ];
}

/**
 * One attribute of a start tag, its value with the quotes: what stands in another attribute's value is passed over with
 * it.
 */
const ATTRIBUTE = /\s(?<name>[^\s=/>]+)\s*=\s*(?<value>"[^"]*"|'[^']*')/g;

function setAttribute(element: XmlElement | undefined, wanted: string, value: string): readonly Edit[] {
  const found = [...(element?.source.matchAll(ATTRIBUTE) ?? [])].find(({ groups }) => groups?.['name'] === wanted);
  const before = found?.groups?.['value'];
  if (element === undefined || found === undefined || before === undefined) return [];
  const end = element.start + found.index + found[0].length;
  const quote = before.slice(0, 1);
  return [{ start: end - before.length, end, text: `${quote}${escaped(value)}${quote}` }];
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;').replaceAll("'", '&apos;');
}
