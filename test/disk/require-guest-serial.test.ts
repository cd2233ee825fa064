import { expect, test } from '@jest/globals';
import { readDiskInfo } from '../../src/disk/read-disk-info.js';
import { requireGuestSerial } from '../../src/disk/require-guest-serial.js';

const UUID = 'f9b12623-6ce3-4dac-a71f-09ad4249bdd3';
const check = (serial: string | undefined, bus: string, type = 'disk'): void => {
  requireGuestSerial({ serial }, readDiskInfo({ dev: bus === 'virtio' ? 'vdb' : 'sdb', bus, type }));
};

test.each(['virtio', 'scsi', 'sata', 'ide', 'usb'])(
  'requireGuestSerial() accepts every UUID, however little of it the bus shows: %s (W-28)',
  (bus) => {
    for (const serial of [UUID, 'volume.7', 'a serial', undefined]) check(serial, bus);
    if (bus !== 'scsi') check('x'.repeat(200), bus);
  },
);

test.each([
  ['A<B>&C', 'virtio'],
  ['Größe', 'scsi'],
  ['a/b', 'sata'],
  ['a"b', 'virtio'],
  ['x'.repeat(37), 'scsi'],
])('requireGuestSerial() refuses what no disk of the guest can have: %j on %s (W-28)', (serial, bus) => {
  expect(() => {
    check(serial, bus);
  }).toThrow(expect.objectContaining({ code: 'CONNECTION_INFO_INVALID', details: { key: 'serial' } }));
});

test('requireGuestSerial() ignores the serial of a lun, which the guest does not see', () => {
  check('A<B>&C', 'scsi', 'lun');
});
