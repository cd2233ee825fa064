import { quoted } from '../base/quoted.js';
import { VolumeError } from '../base/volume-error.js';
import { writeIndentedXml, type XmlElement } from '../base/write-xml.js';
import type { QosKey } from '../connection/qos-specs.js';
import type { DiskConfig } from './disk-config.js';

/**
 * Each measure's limits side by side, as libvirt 9.0.0 writes them itself in dumpxml. nova mixes the measures, and then
 * libxml2 refuses by libvirt's schema what libvirt takes: four limits in nova's order do not pass.
 */
const IOTUNE_ORDER: readonly QosKey[] = [
  'total_bytes_sec',
  'read_bytes_sec',
  'write_bytes_sec',
  'total_iops_sec',
  'read_iops_sec',
  'write_iops_sec',
  'total_bytes_sec_max',
  'read_bytes_sec_max',
  'write_bytes_sec_max',
  'total_iops_sec_max',
  'read_iops_sec_max',
  'write_iops_sec_max',
  'size_iops_sec',
];

/**
 * The `<disk>` element for libvirt: elements and attributes in nova's order, but for the throttles (nova,
 * virt/libvirt/config.py, LibvirtConfigGuestDisk), indented by two blanks, with a newline at the end and no XML
 * declaration. Whatever the values hold, an XML parser reads them back as they were.
 * @throws {VolumeError} `CONNECTION_INFO_INVALID` when a value holds a character that XML 1.0 has no form for
 */
export function diskXml(config: DiskConfig): string {
  const { alias, target, serial, secretUuid } = config;
  const passphrase = { name: 'secret', attributes: { type: 'passphrase', uuid: secretUuid } };
  return writeIndentedXml(
    checked({
      name: 'disk',
      attributes: { type: 'block', device: target.type },
      content: [
        driver(config),
        ...(alias === undefined ? [] : [{ name: 'alias', attributes: { name: `ua-${alias}` } }]),
        { name: 'source', attributes: { dev: config.sourcePath } },
        {
          name: 'target',
          attributes: { dev: target.dev, bus: target.bus, rotation_rate: target.rotationRate?.toString() },
        },
        ...(serial === undefined ? [] : [{ name: 'serial', content: serial }]),
        ...throttles(config),
        ...blockSizes(config),
        ...(config.readonly ? [{ name: 'readonly' }] : []),
        ...(config.shareable ? [{ name: 'shareable' }] : []),
        ...(target.unit === undefined
          ? []
          : [{ name: 'address', attributes: { type: 'drive', controller: '0', unit: String(target.unit) } }]),
        ...(secretUuid === undefined
          ? []
          : [{ name: 'encryption', attributes: { format: 'luks' }, content: [passphrase] }]),
      ],
    }),
  );
}

/**
 * nova's attributes in its order, then those that it has not, as libvirt prints them (src/conf/domain_conf.c,
 * virDomainDiskDefFormatDriver).
 */
function driver({ driverName, cache, discard, io, target }: DiskConfig): XmlElement {
  const { errorPolicy, rerrorPolicy, iothread, detectZeroes, queues } = target;
  return {
    name: 'driver',
    attributes: {
      name: driverName,
      type: 'raw',
      cache,
      discard,
      io,
      error_policy: errorPolicy,
      rerror_policy: rerrorPolicy,
      iothread: iothread?.toString(),
      detect_zeroes: detectZeroes,
      queues: queues?.toString(),
    },
  };
}

function throttles({ qos }: DiskConfig): readonly XmlElement[] {
  const given = IOTUNE_ORDER.flatMap((name) => (qos[name] === undefined ? [] : [{ name, content: qos[name] }]));
  return given.length === 0 ? [] : [{ name: 'iotune', content: given }];
}

function blockSizes({ logicalBlockSize, physicalBlockSize }: DiskConfig): readonly XmlElement[] {
  if (logicalBlockSize === undefined && physicalBlockSize === undefined) return [];
  const attributes = {
    logical_block_size: logicalBlockSize?.toString(),
    physical_block_size: physicalBlockSize?.toString(),
  };
  return [{ name: 'blockio', attributes }];
}

/** XML 1.0 (2.2, Char), less the tab and line ends that a parser would turn into blanks (3.3.3). */
const NO_XML = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u;

function checked(element: XmlElement): XmlElement {
  const { attributes = {}, content = [] } = element;
  const values = [...Object.values(attributes), ...(typeof content === 'string' ? [content] : [])];
  const wrong = values.find((value) => value !== undefined && NO_XML.test(value));
  if (wrong !== undefined) {
    const message = `Cannot write ${quoted(wrong)} as XML: it holds a character that XML 1.0 does not allow`;
    throw new VolumeError('CONNECTION_INFO_INVALID', message);
  }
  if (typeof content !== 'string') content.forEach(checked);
  return element;
}
