import { expect, test } from '@jest/globals';
import { readDiskInfo } from '../../src/disk/read-disk-info.js';

test("readDiskInfo() reads nova's disk_info and ignores keys of other concern", () => {
  expect(readDiskInfo({ dev: 'vdb', bus: 'virtio', type: 'disk', boot_index: '1', format: null })).toEqual({
    dev: 'vdb',
    bus: 'virtio',
    type: 'disk',
    unit: undefined,
  });
});

test('readDiskInfo() takes a missing type for disk', () => {
  expect(readDiskInfo({ dev: 'vdb', bus: 'virtio' }).type).toBe('disk');
});

test.each([0, 255, '0', '7', '255'])('readDiskInfo() reads the unit %j of a scsi disk', (unit) => {
  expect(readDiskInfo({ dev: 'sda', bus: 'scsi', unit }).unit).toBe(Number(unit));
});

test.each([
  ['disk_info', undefined],
  ['disk_info', null],
  ['disk_info', 'vdb'],
  ['disk_info', []],
  ['dev', { bus: 'virtio' }],
  ['dev', { bus: 'virtio', dev: '' }],
  ['dev', { bus: 'virtio', dev: '/dev/vdb' }],
  ['dev', { bus: 'virtio', dev: 'vdb"/>' }],
  ['dev', { bus: 'virtio', dev: 'vdb1' }],
  ['dev', { bus: 'virtio', dev: 'VDB' }],
  ['dev', { bus: 'virtio', dev: 5 }],
  ['bus', { dev: 'vdb' }],
  ['bus', { dev: 'vdb', bus: 'xen' }],
  ['bus', { dev: 'vdb', bus: 'toString' }],
  ['type', { dev: 'vdb', bus: 'virtio', type: 'floppy' }],
  ['unit', { dev: 'sda', bus: 'scsi', unit: 256 }],
  ['unit', { dev: 'sda', bus: 'scsi', unit: -1 }],
  ['unit', { dev: 'sda', bus: 'scsi', unit: 1.5 }],
  ['unit', { dev: 'sda', bus: 'scsi', unit: '' }],
  ['unit', { dev: 'sda', bus: 'scsi', unit: '0x1' }],
  ['unit', { dev: 'vdb', bus: 'virtio', unit: 1 }],
])('readDiskInfo() names %s in %j, and what would be right', (key, value) => {
  expect(() => readDiskInfo(value)).toThrow(
    expect.objectContaining({
      code: 'DISK_INFO_INVALID',
      details: { key },
      message: expect.stringMatching(new RegExp(`${key}.*expected`)) as unknown,
    }),
  );
});
