import { expect, test } from '@jest/globals';
import { CACHE_MODES, VIRT_TYPES, type VolumeOptions } from '../../src/config/options.js';
import type { VolumeFacts } from '../../src/connection/iscsi-connection.js';
import { readConnectionInfo } from '../../src/connection/read-connection-info.js';
import type { DiskConfig } from '../../src/disk/disk-config.js';
import { diskXml } from '../../src/disk/disk-xml.js';
import { makeDiskConfig } from '../../src/disk/make-disk-config.js';
import { readDiskInfo } from '../../src/disk/read-disk-info.js';
import { libvirtDiskSchema } from './libvirt-schema.js';

type Settings = Pick<VolumeOptions, 'blockCacheMode' | 'useDefaultAioModeForVolumes' | 'virtType'>;

const schema = libvirtDiskSchema();

const connectionOf = ({
  data,
  ...top
}: { readonly data?: object; readonly [key: string]: unknown } = {}): VolumeFacts =>
  readConnectionInfo({
    driver_volume_type: 'iscsi',
    data: { target_portal: '192.0.2.1:3260', target_iqn: 'iqn.2010-10.org.openstack:volume-1', target_lun: 1, ...data },
    ...top,
  });

/** Every configuration made here is also shown to libvirt's schema. */
const make = (
  info: Parameters<typeof connectionOf>[0] = {},
  settings: Partial<Settings> = {},
  disk: object = {},
): DiskConfig => {
  const config = makeDiskConfig(connectionOf(info), readDiskInfo({ dev: 'sdb', bus: 'scsi', ...disk }), {
    devicePath: '/dev/sdb',
    secretUuid: undefined,
    options: { blockCacheMode: undefined, useDefaultAioModeForVolumes: false, virtType: 'kvm', ...settings },
  });
  schema.validate(diskXml(config));
  return config;
};

test('makeDiskConfig() caches nothing unless it is told to', () => {
  expect(make().cache).toBe('none');
  expect(make({}, { blockCacheMode: 'writeback' }).cache).toBe('writeback');
});

test('makeDiskConfig() caches nothing of a disk that several guests share, whatever it is told', () => {
  expect(make({ multiattach: true }, { blockCacheMode: 'writeback' })).toMatchObject({
    cache: 'none',
    io: 'native',
    shareable: true,
  });
});

test.each(CACHE_MODES)(
  'makeDiskConfig() asks for native AIO only where the page cache is passed by: %s',
  (blockCacheMode) => {
    const io = blockCacheMode === 'none' || blockCacheMode === 'directsync' ? 'native' : 'threads';
    expect(make({}, { blockCacheMode }).io).toBe(io);
  },
);

test('makeDiskConfig() leaves the AIO mode to libvirt with use_default_aio_mode_for_volumes', () => {
  expect(make({}, { useDefaultAioModeForVolumes: true }).io).toBeUndefined();
});

test('makeDiskConfig() takes block sizes as numbers or text, and gives a lun neither (W-28, R107)', () => {
  const info = { serial: 'volume-1', data: { logical_block_size: '512', physical_block_size: 4096 } };
  expect(make(info, {}, { type: 'lun' })).toMatchObject({
    serial: undefined,
    logicalBlockSize: undefined,
    physicalBlockSize: undefined,
  });
  expect(make(info)).toMatchObject({ serial: 'volume-1', logicalBlockSize: 512, physicalBlockSize: 4096 });
});

test.each(VIRT_TYPES)('makeDiskConfig() names the driver qemu only for QEMU: %s', (virtType) => {
  expect(make({}, { virtType }).driverName).toBe(virtType === 'kvm' || virtType === 'qemu' ? 'qemu' : undefined);
});

test('makeDiskConfig() takes the alias from the volume id, else from the serial, else there is none', () => {
  expect(make({ serial: 'serial-1', data: { volume_id: 'volume-1' } }).alias).toBe('volume-1');
  expect(make({ serial: 'serial-1' }).alias).toBe('serial-1');
  expect(diskXml(make())).not.toContain('<alias');
});

test('makeDiskConfig() gives no alias that libvirt would drop', () => {
  for (const serial of ['a serial', 'a.b', 'a+b']) expect(make({ serial }).alias).toBeUndefined();
});

test('makeDiskConfig() hands on discard, read-only and throttles', () => {
  expect(make({ data: { discard: true, access_mode: 'ro', qos_specs: { total_iops_sec: 100 } } })).toMatchObject({
    discard: 'unmap',
    readonly: true,
    qos: { total_iops_sec: '100' },
  });
});

test('makeDiskConfig() takes detect_zeroes = unmap only for a disk that unmaps (W-28)', () => {
  expect(make({ data: { discard: true } }, {}, { detect_zeroes: 'unmap' })).toMatchObject({
    discard: 'unmap',
    target: { detectZeroes: 'unmap' },
  });
  for (const detect_zeroes of ['on', 'off'])
    expect(make({}, {}, { detect_zeroes })).toMatchObject({
      discard: undefined,
      target: { detectZeroes: detect_zeroes },
    });
  for (const data of [{}, { discard: false }]) {
    expect(() => make({ data }, {}, { detect_zeroes: 'unmap' })).toThrow(
      expect.objectContaining({
        code: 'DISK_INFO_INVALID',
        details: { key: 'detect_zeroes' },
        message: expect.stringContaining('data.discard') as unknown,
      }),
    );
  }
});

/**
 * What libvirt refuses: io='native' over a page cache (src/qemu/qemu_validate.c). Whether the disk unmaps is no concern
 * of either.
 */
const CACHES = CACHE_MODES.flatMap((blockCacheMode) =>
  [true, false].flatMap((multiattach) => [true, false].map((discard) => ({ blockCacheMode, multiattach, discard }))),
);
test.each(CACHES)(
  'makeDiskConfig() is consistent in cache, io and discard: %j',
  ({ blockCacheMode, multiattach, discard }) => {
    const cache = multiattach ? 'none' : blockCacheMode;
    const io = cache === 'none' || cache === 'directsync' ? 'native' : 'threads';
    const info = { multiattach, data: { discard } };
    const expected = { cache, discard: discard ? 'unmap' : undefined, shareable: multiattach };
    expect(make(info, { blockCacheMode })).toMatchObject({ ...expected, io });
    expect(make(info, { blockCacheMode, useDefaultAioModeForVolumes: true })).toMatchObject({
      ...expected,
      io: undefined,
    });
  },
);

test.each([
  ['virtio', { detect_zeroes: 'on' }],
  ['virtio', { error_policy: 'stop' }],
  ['virtio', { rerror_policy: 'stop' }],
  ['virtio', { iothread: 1 }],
  ['virtio', { queues: 1 }],
  ['scsi', { rotation_rate: 1 }],
])(
  'makeDiskConfig() refuses settings that only QEMU supports for any other hypervisor: %s %j (W-28)',
  (bus, setting) => {
    const disk = { bus, dev: bus === 'virtio' ? 'vdb' : 'sdb', ...setting };
    expect(make({}, { virtType: 'qemu' }, disk).driverName).toBe('qemu');
    const [key = ''] = Object.keys(setting);
    expect(() => make({}, { virtType: 'lxc' }, disk)).toThrow(
      expect.objectContaining({ code: 'DISK_INFO_INVALID', details: { key } }),
    );
  },
);

test.each(['data.logical_block_size', 'data.physical_block_size'])(
  'makeDiskConfig() refuses %s for a hypervisor without block sizes',
  (key) => {
    const info = { data: { [key.replace('data.', '')]: '4096' } };
    expect(() => make(info, { virtType: 'lxc' })).toThrow(
      expect.objectContaining({ code: 'CONNECTION_INFO_INVALID', details: { key, virtType: 'lxc' } }),
    );
  },
);

test.each([
  { devicePath: 'sdb', secretUuid: undefined },
  { devicePath: '/dev/sdb\n', secretUuid: undefined },
  { devicePath: '/dev/sdb', secretUuid: 'x' },
])('makeDiskConfig() refuses %j', (surroundings) => {
  const options: Settings = { blockCacheMode: undefined, useDefaultAioModeForVolumes: false, virtType: 'kvm' };
  expect(() =>
    makeDiskConfig(connectionOf(), readDiskInfo({ dev: 'vdb', bus: 'virtio' }), { ...surroundings, options }),
  ).toThrow(expect.objectContaining({ code: 'USAGE' }));
});
