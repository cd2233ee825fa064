import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { XMLParser } from 'fast-xml-parser';
import { XmlDocument } from 'libxml2-wasm';
import { isVolumeError } from '../../src/base/volume-error.js';
import { CACHE_MODES } from '../../src/config/options.js';
import { QOS_KEYS, type QosSpecs } from '../../src/connection/qos-specs.js';
import { readConnectionInfo } from '../../src/connection/read-connection-info.js';
import { BUSES, DEVICE_TYPES, type DiskConfig } from '../../src/disk/disk-config.js';
import { DETECT_ZEROES, ERROR_POLICIES, READ_ERROR_POLICIES } from '../../src/disk/disk-settings.js';
import { diskXml } from '../../src/disk/disk-xml.js';
import { makeDiskConfig } from '../../src/disk/make-disk-config.js';
import { readDiskInfo } from '../../src/disk/read-disk-info.js';
import { libvirtDiskSchema } from './libvirt-schema.js';

interface Vector {
  readonly name: string;
  readonly connection_info: { readonly data: { readonly device_path: string } };
  readonly disk_info: unknown;
  readonly secret_uuid: string | null;
  readonly expected: { readonly xml?: string; readonly error?: string };
}

const vectors = JSON.parse(readFileSync('test/fixtures/nova-disk-xml.json', 'utf8')) as readonly Vector[];
const DEFAULTS = { blockCacheMode: undefined, useDefaultAioModeForVolumes: false, virtType: 'kvm' } as const;
const schema = libvirtDiskSchema();

const xmlOf = ({ connection_info, disk_info, secret_uuid }: Vector): string =>
  diskXml(
    makeDiskConfig(readConnectionInfo(connection_info), readDiskInfo(disk_info), {
      devicePath: connection_info.data.device_path,
      secretUuid: secret_uuid ?? undefined,
      options: DEFAULTS,
    }),
  );

/** Elements and attributes in their order, without the blanks between elements. */
const parsed = (xml: string): unknown =>
  new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    parseTagValue: false,
    parseAttributeValue: false,
    trimValues: true,
  }).parse(xml);

const attributesInOrder = (xml: string): readonly string[] =>
  [...xml.matchAll(/([\w-]+)="/g)].map(([, name]) => name ?? '');

test.each(vectors.filter(({ expected }) => expected.xml !== undefined))('diskXml() equals nova: $name', (vector) => {
  const xml = xmlOf(vector);
  expect(parsed(xml)).toEqual(parsed(vector.expected.xml ?? ''));
  expect(attributesInOrder(xml)).toEqual(attributesInOrder(vector.expected.xml ?? ''));
});

test.each(vectors.filter(({ expected }) => expected.xml !== undefined && !expected.xml.includes('&lt;')))(
  "diskXml() keeps to libvirt's schema: $name",
  (vector) => {
    schema.validate(xmlOf(vector));
  },
);

test("libvirt's schema refuses nova's serial with XML characters", () => {
  const strange = vectors.find(({ name }) => name === 'serial with xml characters');
  expect(() => {
    schema.validate(strange?.expected.xml ?? '<disk/>');
  }).toThrow();
});

test.each(vectors.filter(({ expected }) => expected.error !== undefined))(
  'nova refuses, and so does readConnectionInfo(): $name',
  (vector) => {
    expect(() => xmlOf(vector)).toThrow(
      expect.objectContaining({
        code: 'CONNECTION_INFO_INVALID',
        message: expect.stringContaining('access_mode') as unknown,
      }),
    );
  },
);

test('diskXml() prints two blanks a level, a newline at the end and no XML declaration', () => {
  const [plain] = vectors;
  expect(plain === undefined ? '' : xmlOf(plain)).toBe(plain?.expected.xml);
});

test('diskXml() writes every throttle', () => {
  const qos = Object.fromEntries(QOS_KEYS.map((key) => [key, '1']));
  const [config] = fc.sample(diskConfig, { numRuns: 1, seed: 1 });
  if (config === undefined) throw new Error('no sample');
  const xml = diskXml({ ...config, qos });
  for (const key of QOS_KEYS) expect(xml).toContain(`<${key}>1</${key}>`);
});

test("diskXml() writes nova's attributes first, then others in libvirt's order (W-28)", () => {
  const disk = (info: object): string =>
    diskXml(
      makeDiskConfig(
        readConnectionInfo({
          ...vectors[0]?.connection_info,
          data: { ...vectors[0]?.connection_info.data, discard: true },
        }),
        readDiskInfo(info),
        { devicePath: '/dev/sdb', secretUuid: undefined, options: DEFAULTS },
      ),
    );
  const policies = { detect_zeroes: 'unmap', error_policy: 'enospace', rerror_policy: 'report' };
  const virtio = disk({ dev: 'vdb', bus: 'virtio', ...policies, iothread: 2, queues: '4' });
  expect(virtio).toContain(
    '<driver name="qemu" type="raw" cache="none" discard="unmap" io="native" error_policy="enospace" ' +
      'rerror_policy="report" iothread="2" detect_zeroes="unmap" queues="4"/>',
  );
  const scsi = disk({ dev: 'sdb', bus: 'scsi', ...policies, rotation_rate: 1 });
  expect(scsi).toContain('<target dev="sdb" bus="scsi" rotation_rate="1"/>');
  for (const xml of [virtio, scsi]) schema.validate(xml);
});

const serial = fc.stringMatching(/^[A-Za-z0-9_.+-][A-Za-z0-9_.+ -]{0,35}$/);
const count = fc.nat().map(String);
const size = fc.constantFrom(512, 4096);
const maybe = <Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(arbitrary, { nil: undefined });

/** A total, or limits for reads and writes: libvirt takes one or the other of each measure. */
const qosSpecs: fc.Arbitrary<QosSpecs> = fc
  .record({
    total: fc.boolean(),
    values: fc.array(maybe(count), { minLength: QOS_KEYS.length, maxLength: QOS_KEYS.length }),
  })
  .map(({ total, values }) =>
    Object.fromEntries(
      QOS_KEYS.flatMap((key, index) => {
        const value = values[index];
        return value === undefined || (key !== 'size_iops_sec' && key.startsWith('total') !== total)
          ? []
          : [[key, value]];
      }),
    ),
  );

const diskConfig: fc.Arbitrary<DiskConfig> = fc.record({
  sourcePath: fc.stringMatching(/^\/dev\/[a-zA-Z0-9&<>"'._+ -]{1,40}$/),
  target: fc.record({
    dev: fc.stringMatching(/^(?:vd|sd|hd)[a-z]{1,3}$/),
    bus: fc.constantFrom(...BUSES),
    type: fc.constantFrom(...DEVICE_TYPES),
    unit: maybe(fc.nat(255)),
    detectZeroes: maybe(fc.constantFrom(...DETECT_ZEROES)),
    errorPolicy: maybe(fc.constantFrom(...ERROR_POLICIES)),
    rerrorPolicy: maybe(fc.constantFrom(...READ_ERROR_POLICIES)),
    iothread: maybe(fc.integer({ min: 1, max: 2 ** 32 - 1 })),
    queues: maybe(fc.integer({ min: 1, max: 1024 })),
    rotationRate: maybe(fc.integer({ min: 1, max: 65534 })),
  }),
  driverName: fc.constantFrom('qemu' as const, undefined),
  cache: fc.constantFrom(...CACHE_MODES),
  io: fc.constantFrom('native' as const, 'threads' as const, undefined),
  discard: fc.constantFrom('unmap' as const, undefined),
  alias: maybe(fc.stringMatching(/^[A-Za-z0-9_-]{1,36}$/)),
  serial: maybe(serial),
  qos: qosSpecs,
  logicalBlockSize: maybe(size),
  physicalBlockSize: maybe(size),
  readonly: fc.boolean(),
  shareable: fc.boolean(),
  secretUuid: maybe(fc.uuid()),
});

test("diskXml() of any disk keeps to libvirt's schema", () => {
  fc.assert(
    fc.property(diskConfig, (config) => {
      schema.validate(diskXml(config));
    }),
  );
});

const readBack = (xml: string, path: string): string | undefined => {
  const document = XmlDocument.fromString(xml);
  try {
    return document.get(path)?.content;
  } finally {
    document.dispose();
  }
};

test.each(['a&b', '&amp;', '&#38;&lt;', '<x y="z">\'', ']]>', '😀'])(
  'diskXml() gives a parser back what it was given: %s',
  (text) => {
    const [config] = fc.sample(diskConfig, { numRuns: 1, seed: 1 });
    if (config === undefined) throw new Error('no sample');
    const xml = diskXml({ ...config, serial: text, sourcePath: `/dev/${text}` });
    expect(readBack(xml, '/disk/serial')).toBe(text);
    expect(readBack(xml, '/disk/source/@dev')).toBe(`/dev/${text}`);
  },
);

test.each(['\u0000', '\u0001', 'a\nb', '\u007f', '\ud800', '\uffff'])(
  'diskXml() refuses what XML 1.0 cannot hold: %j',
  (text) => {
    const [config] = fc.sample(diskConfig, { numRuns: 1, seed: 1 });
    if (config === undefined) throw new Error('no sample');
    for (const bad of [
      { ...config, serial: text },
      { ...config, sourcePath: `/dev/${text}` },
    ]) {
      expect(codeOf(() => diskXml(bad))).toBe('CONNECTION_INFO_INVALID');
    }
  },
);

const codeOf = (act: () => unknown): string | undefined => {
  try {
    act();
  } catch (error) {
    if (isVolumeError(error)) return error.code;
    throw error;
  }
  return undefined;
};
