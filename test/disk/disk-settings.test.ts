import { expect, test } from '@jest/globals';
import { readDiskInfo } from '../../src/disk/read-disk-info.js';

const VIRTIO = { dev: 'vdb', bus: 'virtio' };
const SCSI = { dev: 'sdb', bus: 'scsi' };

test('readDiskInfo() reads the tuning of a disk, numbers as text too, and null as absent (W-28)', () => {
  expect(
    readDiskInfo({
      ...VIRTIO,
      detect_zeroes: 'on',
      error_policy: 'enospace',
      rerror_policy: 'ignore',
      iothread: '3',
      queues: 1024,
      rotation_rate: null,
    }),
  ).toEqual({
    dev: 'vdb',
    bus: 'virtio',
    type: 'disk',
    detectZeroes: 'on',
    errorPolicy: 'enospace',
    rerrorPolicy: 'ignore',
    iothread: 3,
    queues: 1024,
  });
});

test.each([
  ['scsi', 1],
  ['sata', 7200],
  ['ide', '65534'],
  ['scsi', 1025],
])('readDiskInfo() reads the rotation rate of a disk on %s: %j', (bus, rotation_rate) => {
  expect(readDiskInfo({ dev: 'sdb', bus, rotation_rate }).rotationRate).toBe(Number(rotation_rate));
});

test.each<[string, object, unknown, string]>([
  ['detect_zeroes', VIRTIO, 'yes', 'expected one of off, on, unmap'],
  ['detect_zeroes', VIRTIO, true, 'expected one of off, on, unmap'],
  ['error_policy', VIRTIO, 'retry', 'expected one of stop, report, ignore, enospace'],
  ['error_policy', VIRTIO, 'toString', 'expected one of stop, report, ignore, enospace'],
  ['rerror_policy', VIRTIO, 'enospace', 'expected one of stop, report, ignore'],
  ['iothread', VIRTIO, 0, 'expected a whole number from 1 to 4294967295'],
  ['iothread', VIRTIO, 2 ** 32, 'expected a whole number from 1 to 4294967295'],
  ['iothread', VIRTIO, '0x1', 'expected a whole number from 1 to 4294967295'],
  ['iothread', SCSI, 1, "the guest's virtio-scsi controller's"],
  ['iothread', { dev: 'sdb', bus: 'sata' }, 1, 'only beside the bus virtio'],
  ['queues', VIRTIO, 0, 'expected a whole number from 1 to 1024'],
  ['queues', VIRTIO, 1025, 'expected a whole number from 1 to 1024'],
  ['queues', VIRTIO, 1.5, 'expected a whole number from 1 to 1024'],
  ['queues', VIRTIO, '', 'expected a whole number from 1 to 1024'],
  ['queues', SCSI, 4, 'only beside the bus virtio'],
  ['rotation_rate', VIRTIO, 1, 'only beside the bus scsi, sata, ide'],
  ['rotation_rate', { dev: 'sdb', bus: 'usb' }, 1, 'only beside the bus scsi, sata, ide'],
  ['rotation_rate', { ...SCSI, type: 'lun' }, 1, 'only for the type disk'],
  ['rotation_rate', { dev: 'sdc', bus: 'sata', type: 'cdrom' }, 1, 'only for the type disk'],
  ['rotation_rate', SCSI, 0, 'expected 1 for a disk that does not rotate, or 1025 to 65534'],
  ['rotation_rate', SCSI, 2, 'expected 1 for a disk that does not rotate, or 1025 to 65534'],
  ['rotation_rate', SCSI, 1024, 'expected 1 for a disk that does not rotate, or 1025 to 65534'],
  ['rotation_rate', SCSI, 65535, 'expected 1 for a disk that does not rotate, or 1025 to 65534'],
])('readDiskInfo() refuses %s of %j: %j (W-28)', (key, disk, value, expected) => {
  expect(() => readDiskInfo({ ...disk, [key]: value })).toThrow(
    expect.objectContaining({
      code: 'DISK_INFO_INVALID',
      details: { key },
      message: expect.stringContaining(expected) as unknown,
    }),
  );
});
