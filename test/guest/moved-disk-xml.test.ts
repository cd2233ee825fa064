import { describe, expect, test } from '@jest/globals';
import { movedDiskXml } from '../../src/guest/moved-disk-xml.js';
import { parseGuestDisk } from '../../src/guest/parse-guest-disks.js';

const STORED = `<disk type='block' device='disk' snapshot='no'>
      <driver name='qemu' type='raw' cache='none' io='native' discard='unmap'/>
      <source dev='/dev/sda' index='2'/>
      <backingStore/>
      <target dev='vdb' bus='virtio'/>
      <iotune><total_iops_sec>500</total_iops_sec></iotune>
      <serial>volume-7</serial>
      <boot order='2'/>
      <alias name='ua-volume-7'/>
      <address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/>
    </disk>`;

describe('movedDiskXml()', () => {
  test('movedDiskXml() puts another volume behind the disk and leaves its place in the guest as it is', () => {
    const moved = movedDiskXml(STORED, { devicePath: '/dev/dm-0', alias: 'ua-volume-8', serial: 'volume-8' });
    expect(parseGuestDisk(moved)).toMatchObject({
      sourcePath: '/dev/dm-0',
      alias: 'ua-volume-8',
      serial: 'volume-8',
      targetDev: 'vdb',
      bus: 'virtio',
      driver: { cache: 'none', io: 'native', discard: 'unmap' },
    });
    for (const kept of [
      'snapshot="no"',
      "<boot order='2'/>",
      '<iotune><total_iops_sec>500</total_iops_sec></iotune>',
      "<address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/>",
    ])
      expect(moved).toContain(kept);
    expect(moved).not.toMatch(/volume-7|sda|backingStore/);
  });

  test('movedDiskXml() drops alias and serial where the new volume has none, and escapes its values', () => {
    const moved = parseGuestDisk(
      movedDiskXml(STORED, { devicePath: '/dev/mapper/a&b$&', alias: undefined, serial: 'a & <b>' }),
    );
    expect(moved).toMatchObject({ sourcePath: '/dev/mapper/a&b$&', alias: undefined, serial: 'a & <b>' });
    expect(
      parseGuestDisk(movedDiskXml(STORED, { devicePath: '/dev/sdb', alias: undefined, serial: undefined })).serial,
    ).toBeUndefined();
  });

  test('movedDiskXml() makes a file disk a block device', () => {
    expect(
      movedDiskXml("<disk type='file'><source file='/a'/><target dev='vdb'/></disk>", {
        devicePath: '/dev/sdb',
        alias: undefined,
        serial: undefined,
      }),
    ).toMatch(/^<disk type="block"><source dev="\/dev\/sdb"\/>/);
  });

  test('movedDiskXml() refuses XML of no disk', () => {
    expect(() => movedDiskXml('<domain/>', { devicePath: '/dev/sdb', alias: undefined, serial: undefined })).toThrow(
      SyntaxError,
    );
  });
});
