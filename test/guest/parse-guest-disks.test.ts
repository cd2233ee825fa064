import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findGuestDisk } from '../../src/guest/guest-disk.js';
import { parseGuestDisk, parseGuestDisks } from '../../src/guest/parse-guest-disks.js';

const FIRST = `<disk type='block' device='disk'>
      <driver name='qemu' type='raw' cache='none' io='native'/>
      <source dev='/dev/mapper/a&amp;b' index='1'><reservations managed='yes'/></source>
      <backingStore type='file'><disk type='file'><target dev='no'/></disk></backingStore>
      <mirror><disk><target dev='no'/></disk></mirror>
      <target dev='vdb' bus='virtio'/>
      <serial>a &lt;&#x26;&#38;&quot;&apos; b</serial>
      <alias name='ua-1'/>
    </disk>`;
const DOMAIN = `<?xml version='1.0'?>
<!-- <disk/> -->
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <metadata>
    <nova:disk xmlns:nova="http://openstack.org">
      <disk><target dev='meta'/></disk><__proto__/><![CDATA[</domain>]]>
    </nova:disk>
  </metadata>
  <devices>
    ${FIRST}
    <disk type='network' device='cdrom'><source protocol='rbd' name='pool/image'/><target dev='sda'/></disk>
    <disk type='file'><source file='/images/a'/><target dev='vdc' bus='virtio'/></disk>
    <hostdev><source><disk/></source></hostdev>
  </devices>
  <qemu:commandline><disk/></qemu:commandline>
</domain>
`;

describe('parseGuestDisks()', () => {
  test('parseGuestDisks() reads the disks of <devices>, and no others', () => {
    expect(parseGuestDisks(DOMAIN)).toEqual([
      {
        targetDev: 'vdb',
        bus: 'virtio',
        device: 'disk',
        sourcePath: '/dev/mapper/a&b',
        serial: 'a <&&"\' b',
        alias: 'ua-1',
        mirror: { sourcePath: undefined, state: 'copying' },
        secretUuid: undefined,
        driver: { name: 'qemu', type: 'raw', cache: 'none', io: 'native' },
        xml: FIRST,
      },
      expect.objectContaining({
        targetDev: 'sda',
        bus: undefined,
        device: 'cdrom',
        sourcePath: undefined,
        serial: undefined,
        alias: undefined,
        driver: {},
      }),
      expect.objectContaining({
        targetDev: 'vdc',
        device: 'disk',
        sourcePath: '/images/a',
        xml: "<disk type='file'><source file='/images/a'/><target dev='vdc' bus='virtio'/></disk>",
      }),
    ]);
  });

  test.each([
    ['below the disk', (secret: string) => `<source dev='/dev/sdb'/>${secret}`],
    ['below its source', (secret: string) => `<source dev='/dev/sdb'>${secret}</source>`],
  ])('parseGuestDisks() finds the secret of an encrypted disk %s', (_where, inside) => {
    const secretUuid = '2a0a0d6c-babf-454d-b93e-9ac9957b95e0';
    const secret = `<encryption format='luks'><secret type='passphrase' uuid='${secretUuid}'/></encryption>`;
    expect(parseGuestDisk(`<disk type='block'>${inside(secret)}<target dev='vdb'/></disk>`)).toMatchObject({
      secretUuid,
      sourcePath: '/dev/sdb',
    });
  });

  test.each([
    ['', 'copying'],
    [" ready='yes'", 'yes'],
    [" ready='pivot'", 'pivot'],
    [" ready='abort'", 'abort'],
  ])('parseGuestDisks() reads the progress of a block copy%s', (ready, state) => {
    const disk = parseGuestDisk(
      `<disk type='block'><source dev='/dev/sda' index='1'/><backingStore/><mirror type='block' ` +
        `job='copy'${ready}><format type='raw'/><source dev='/dev/sdb' index='3'/><backingStore/></mirror><target ` +
        `dev='vdb'/></disk>`,
    );
    expect(disk).toMatchObject({ sourcePath: '/dev/sda', mirror: { sourcePath: '/dev/sdb', state } });
  });

  test('parseGuestDisks() reads the part of its device that a disk is', () => {
    const disk = (source: string): number | undefined =>
      parseGuestDisk(`<disk>${source}<target dev='vdb'/></disk>`).sliceBytes;
    expect(
      disk(
        "<source dev='/dev/sdb' index='2'><slices><slice type='storage' offset='0' size='67108864'/></slices></source>",
      ),
    ).toBe(67_108_864);
    expect(disk("<source dev='/dev/sdb'/>")).toBeUndefined();
  });

  test('parseGuestDisks() gives an element that reads as the same disk', () => {
    for (const disk of parseGuestDisks(DOMAIN)) expect(parseGuestDisk(disk.xml)).toEqual(disk);
  });

  test('parseGuestDisks() finds a domain without devices to have no disks', () => {
    expect(parseGuestDisks('<domain/>')).toEqual([]);
  });

  test.each([
    '',
    'error: no domain',
    '<domain',
    '<domain><devices>',
    '<network/>',
    '<domain><devices><disk/></devices></domain>',
  ])('parseGuestDisks() refuses %p', (xml) => {
    expect(() => parseGuestDisks(xml)).toThrow(SyntaxError);
  });

  test('parseGuestDisks() reads back any serial and path that libvirt may escape', () => {
    const escaped = (text: string): string =>
      Array.from(text, (character) =>
        /[a-z0-9]/i.test(character) ? character : `&#x${(character.codePointAt(0) ?? 0).toString(16)};`,
      ).join('');
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (text) => {
        const [disk] = parseGuestDisks(
          `<domain><devices><disk><source dev='${escaped(text)}'/><target ` +
            `dev='vdb'/><serial>${escaped(text)}</serial></disk></devices></domain>`,
        );
        expect(disk).toMatchObject({ sourcePath: text, serial: text });
      }),
    );
  });
});

describe('findGuestDisk()', () => {
  const disk = (
    targetDev: string,
    parts: { readonly alias?: string; readonly serial?: string; readonly path?: string },
  ) =>
    parseGuestDisk(
      `<disk><source dev='${parts.path ?? '/dev/none'}'/><target ` +
        `dev='${targetDev}'/><serial>${parts.serial ?? ''}</serial><alias ` +
        `name='${parts.alias ?? `virtio-${targetDev}`}'/></disk>`,
    );

  test('findGuestDisk() prefers the alias to all else', () => {
    const disks = [disk('vda', { serial: 'vol', path: '/dev/sda' }), disk('vdb', { alias: 'ua-vol' })];
    expect(findGuestDisk(disks, { alias: 'ua-vol', serial: 'vol', sourcePaths: ['/dev/sda'] })?.targetDev).toBe('vdb');
  });

  test('findGuestDisk() uses serial and path only together', () => {
    const disks = [
      disk('vda', { serial: 'vol', path: '/dev/sdx' }),
      disk('vdb', { serial: 'other', path: '/dev/sda' }),
      disk('vdc', { serial: 'vol', path: '/dev/sda' }),
    ];
    expect(
      findGuestDisk(disks, { alias: 'ua-vol', serial: 'vol', sourcePaths: ['/dev/dm-1', '/dev/sda'] })?.targetDev,
    ).toBe('vdc');
    expect(findGuestDisk(disks.slice(0, 2), { serial: 'vol', sourcePaths: ['/dev/sda'] })).toBeUndefined();
    expect(findGuestDisk(disks, { sourcePaths: ['/dev/sda'] })).toBeUndefined();
  });
});
