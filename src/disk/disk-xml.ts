import { create } from 'xmlbuilder2';
import { quoted } from '../base/quoted.js';
import { VolumeError } from '../base/volume-error.js';
import type { QosKey } from '../connection/qos-specs.js';
import type { DiskConfig } from './disk-config.js';

type Element = ReturnType<typeof create>;

/**
 * Each measure's limits side by side, as libvirt 9.0.0 writes them itself in dumpxml. nova mixes the measures, and then libxml2 refuses by libvirt's
 * schema what libvirt takes: four limits in nova's order do not pass.
 */
const IOTUNE_ORDER: readonly QosKey[] = [
  'total_bytes_sec', 'read_bytes_sec', 'write_bytes_sec', 'total_iops_sec', 'read_iops_sec', 'write_iops_sec',
  'total_bytes_sec_max', 'read_bytes_sec_max', 'write_bytes_sec_max', 'total_iops_sec_max', 'read_iops_sec_max', 'write_iops_sec_max',
  'size_iops_sec',
];

/**
 * The `<disk>` element for libvirt: elements and attributes in nova's order, but for the throttles (nova, virt/libvirt/config.py, LibvirtConfigGuestDisk),
 * indented by two blanks, with a newline at the end and no XML declaration. Whatever the values hold, an XML parser reads them back as they were.
 * @throws {VolumeError} `CONNECTION_INFO_INVALID` when a value holds a character that XML 1.0 has no form for
 */
export function diskXml(config: DiskConfig): string {
  const disk = create().ele('disk', { type: 'block', device: config.target.type });
  addDriver(disk, config);
  if (config.alias !== undefined) add(disk, 'alias', { name: `ua-${config.alias}` });
  add(disk, 'source', { dev: config.sourcePath });
  add(disk, 'target', { dev: config.target.dev, bus: config.target.bus, rotation_rate: config.target.rotationRate?.toString() });
  if (config.serial !== undefined) disk.ele('serial').txt(safe(config.serial));
  addThrottles(disk, config);
  addBlockSizes(disk, config);
  if (config.readonly) disk.ele('readonly');
  if (config.shareable) disk.ele('shareable');
  if (config.target.unit !== undefined) add(disk, 'address', { type: 'drive', controller: '0', unit: String(config.target.unit) });
  if (config.secretUuid !== undefined) add(disk.ele('encryption', { format: 'luks' }), 'secret', { type: 'passphrase', uuid: config.secretUuid });
  return `${disk.end({ headless: true, prettyPrint: true })}\n`;
}

/** nova's attributes in its order, then those that it has not, as libvirt prints them (src/conf/domain_conf.c, virDomainDiskDefFormatDriver). */
function addDriver(disk: Element, { driverName, cache, discard, io, target }: DiskConfig): void {
  const { errorPolicy, rerrorPolicy, iothread, detectZeroes, queues } = target;
  add(disk, 'driver', {
    name: driverName, type: 'raw', cache, discard, io,
    error_policy: errorPolicy, rerror_policy: rerrorPolicy, iothread: iothread?.toString(), detect_zeroes: detectZeroes, queues: queues?.toString(),
  });
}

function addThrottles(disk: Element, { qos }: DiskConfig): void {
  const given = IOTUNE_ORDER.flatMap((key) => (qos[key] === undefined ? [] : [{ key, value: qos[key] }]));
  if (given.length === 0) return;
  const iotune = disk.ele('iotune');
  for (const { key, value } of given) iotune.ele(key).txt(safe(value));
}

function addBlockSizes(disk: Element, { logicalBlockSize, physicalBlockSize }: DiskConfig): void {
  if (logicalBlockSize === undefined && physicalBlockSize === undefined) return;
  add(disk, 'blockio', { logical_block_size: logicalBlockSize?.toString(), physical_block_size: physicalBlockSize?.toString() });
}

/** An element with the attributes that have a value, in the order given. */
function add(parent: Element, name: string, attributes: Readonly<Record<string, string | undefined>>): void {
  const present = Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [[key, safe(value)] as const]));
  parent.ele(name, Object.fromEntries(present));
}

/** XML 1.0 (2.2, Char), less the tab and line ends that a parser would turn into blanks (3.3.3). */
const NO_XML = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u;

/** xmlbuilder2 takes `&amp;` in a value for an escape and leaves it alone (its nonEntityAmpersandRegex), so every `&` is escaped before. */
function safe(value: string): string {
  if (NO_XML.test(value)) {
    throw new VolumeError('CONNECTION_INFO_INVALID', `Cannot write ${quoted(value)} as XML: it holds a character that XML 1.0 does not allow`);
  }
  return value.replaceAll('&', '&amp;');
}
