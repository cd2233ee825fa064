import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isVolumeError } from '../../src/base/volume-error.js';
import { type DiskReplacement, migrationXml } from '../../src/guest/migration-xml.js';
import { parseGuestDisks } from '../../src/guest/parse-guest-disks.js';

const SECRET = '2a0a0d6c-babf-454d-b93e-9ac9957b95e0';
const OTHER_SECRET = '7d1f3c52-1c55-4b8e-8f0f-6a3d5a9d1b11';

/** As libvirt prints a running guest, with traps: the paths and the aliases stand in other places too. */
const DOMAIN = `<domain type='kvm' id='3'>
  <name>web1</name>
  <metadata>
    <our:note xmlns:our="http://example.org">
      <disk><source dev='/dev/dm-0'/><alias name='ua-volume-1'/></disk>
    </our:note>
  </metadata>
  <!-- <disk><source dev='/dev/dm-0'/><target dev='vdb'/></disk> -->
  <devices>
    <disk type='block' device='disk' snapshot='external'>
      <driver name='qemu' type='raw' cache='none' io='native'/>
      <source note=" dev='/dev/no'" dev = "/dev/dm-0" index='2'>
        <reservations managed='no'><source type='unix' path='/a' mode='client'/></reservations>
      </source>
      <backingStore/>
      <target dev='vdb' bus='virtio'/>
      <serial>volume-1</serial>
      <alias name='ua-volume-1'/>
      <address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>
    </disk>
    <disk type='block' device='disk'>
      <source dev='/dev/sda' index='1'>
        <encryption format='luks' engine='qemu'>
          <secret type='passphrase' uuid='${SECRET}'/>
        </encryption>
      </source>
      <target dev='vdc' bus='virtio'/>
      <alias name='ua-volume-2'/>
    </disk>
    <disk type='file' device='disk'>
      <source file='/images/root'/><target dev='vda' bus='virtio'/><alias name='virtio-disk0'/>
    </disk>
  </devices>
</domain>
`;

const FIRST: DiskReplacement = {
  targetDev: 'vdb',
  alias: 'ua-volume-1',
  from: { path: '/dev/dm-0' },
  to: { path: '/dev/dm-3' },
};
const SECOND: DiskReplacement = {
  targetDev: 'vdc',
  alias: 'ua-volume-2',
  from: { path: '/dev/sda', secretUuid: SECRET },
  to: { path: '/dev/sdq', secretUuid: OTHER_SECRET },
};

function failureOf(domainXml: string, disks: readonly DiskReplacement[]): unknown {
  try {
    return migrationXml(domainXml, disks);
  } catch (error) {
    return isVolumeError(error) ? { code: error.code, message: error.message } : error;
  }
}

describe('migrationXml()', () => {
  test('migrationXml() changes source and secret of the disks that are named, and no other byte', () => {
    expect(migrationXml(DOMAIN, [SECOND, FIRST])).toBe(
      DOMAIN.replace('dev = "/dev/dm-0"', 'dev = "/dev/dm-3"')
        .replace("'/dev/sda'", "'/dev/sdq'")
        .replace(SECRET, OTHER_SECRET),
    );
    expect(migrationXml(DOMAIN, [])).toBe(DOMAIN);
  });

  test('migrationXml() finds a secret that stands below the disk', () => {
    const encryption = `<encryption format='luks'><secret type='passphrase' uuid='${SECRET}'/></encryption>`;
    const xml =
      `<domain><devices><disk type='block'><source dev='/dev/sda'/>${encryption}<target ` +
      `dev='vdc'/><alias name='ua-volume-2'/></disk></devices></domain>`;
    expect(migrationXml(xml, [SECOND])).toBe(xml.replace('/dev/sda', '/dev/sdq').replace(SECRET, OTHER_SECRET));
  });

  test('migrationXml() finds a disk that was attached without an alias by its name in the guest', () => {
    const root: DiskReplacement = { targetDev: 'vda', from: { path: '/images/root' }, to: { path: '/elsewhere/root' } };
    expect(migrationXml(DOMAIN, [root])).toBe(DOMAIN.replace('/images/root', '/elsewhere/root'));
  });

  test('migrationXml() gives each disk its own, where the hosts have the same names the other way round', () => {
    const disk = (name: string, path: string): string =>
      `<disk type='block'><source dev='${path}'/><target dev='${name}'/><alias name='ua-${name}'/></disk>`;
    const domain = (first: string, second: string): string =>
      `<domain><devices>${disk('vdb', first)}${disk('vdc', second)}</devices></domain>`;
    const move = (targetDev: string, from: string, to: string): DiskReplacement => ({
      targetDev,
      alias: `ua-${targetDev}`,
      from: { path: from },
      to: { path: to },
    });
    expect(
      migrationXml(domain('/dev/sda', '/dev/sdb'), [
        move('vdb', '/dev/sda', '/dev/sdb'),
        move('vdc', '/dev/sdb', '/dev/sda'),
      ]),
    ).toBe(domain('/dev/sdb', '/dev/sda'));
  });

  test('migrationXml() writes any path so that it is read back, and back again gives the first text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '/', '&', '<', '>', '"', "'", '$1', ' ', 'ä', '&amp;') }),
        (path) => {
          const there = migrationXml(DOMAIN, [{ ...FIRST, to: { path } }]);
          expect(parseGuestDisks(there).map(({ sourcePath }) => sourcePath)).toEqual([
            path,
            '/dev/sda',
            '/images/root',
          ]);
          expect(migrationXml(there, [{ ...FIRST, from: { path }, to: FIRST.from }])).toBe(DOMAIN);
        },
      ),
    );
  });

  test.each<[string, string, readonly DiskReplacement[], string, RegExp]>([
    [
      'a disk that the guest does not have',
      DOMAIN,
      [{ ...FIRST, alias: 'ua-volume-9' }],
      'DEVICE_NOT_FOUND',
      /no disk ua-volume-9$/,
    ],
    [
      'a name that the guest does not have',
      DOMAIN,
      [{ targetDev: 'vdz', from: FIRST.from, to: FIRST.to }],
      'DEVICE_NOT_FOUND',
      /no disk vdz$/,
    ],
    [
      'a disk that only metadata and a comment have',
      DOMAIN.replace(/<devices>[^]*<\/devices>/, '<devices/>'),
      [FIRST],
      'DEVICE_NOT_FOUND',
      /no disk ua-volume-1$/,
    ],
    [
      'another source than the volume had',
      DOMAIN,
      [{ ...FIRST, from: { path: '/dev/sdx' } }],
      'DEVICE_MISMATCH',
      /ua-volume-1 is vdb on \/dev\/dm-0; expected vdb on \/dev\/sdx$/,
    ],
    [
      'another name in the guest',
      DOMAIN,
      [{ ...FIRST, targetDev: 'vdx' }],
      'DEVICE_MISMATCH',
      /expected vdx on \/dev\/dm-0$/,
    ],
    [
      'another secret than the volume had',
      DOMAIN,
      [{ ...SECOND, from: { path: '/dev/sda', secretUuid: OTHER_SECRET } }],
      'DEVICE_MISMATCH',
      new RegExp(`expected .* with the secret ${OTHER_SECRET}$`),
    ],
    [
      'an encrypted disk without a secret for the destination',
      DOMAIN,
      [{ ...SECOND, to: { path: '/dev/sdq' } }],
      'DEVICE_MISMATCH',
      /vdc is encrypted, and the destination has no secret for it$/,
    ],
    [
      'a secret for a disk that is not encrypted',
      DOMAIN,
      [{ ...FIRST, to: { path: '/dev/dm-3', secretUuid: SECRET } }],
      'DEVICE_MISMATCH',
      /vdb is not encrypted/,
    ],
    [
      'one disk twice',
      DOMAIN,
      [FIRST, { ...FIRST, to: { path: '/dev/dm-4' } }],
      'USAGE',
      /one disk is to be replaced twice$/,
    ],
    ['text that is no XML', '<domain>', [FIRST], 'USAGE', /^Cannot read "<domain>" as a guest's description$/],
    ['another element', '<network/>', [FIRST], 'USAGE', /as a guest's description$/],
    ['a carriage return', DOMAIN.replaceAll('\n', '\r\n'), [FIRST], 'USAGE', /carriage return/],
  ])('migrationXml() refuses %s', (_what, domainXml, disks, code, message) => {
    expect(failureOf(domainXml, disks)).toEqual({ code, message: expect.stringMatching(message) as unknown });
  });
});
