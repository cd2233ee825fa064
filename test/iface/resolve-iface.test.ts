import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readOptions } from '../../src/config/read-options.js';
import { readIfaces } from '../../src/iface/read-ifaces.js';
import { resolveIface, type ResolvedIface } from '../../src/iface/resolve-iface.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { fakeDatabase } from '../fakes/fake-database.js';
import { FakeHost } from '../fakes/fake-host.js';

const MAC = '00:0e:1e:ab:cd:ef';

/** What `iscsi_iface = { … }` of a config file means on a host with these records. */
async function resolved(
  table: object,
  records: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<ResolvedIface> {
  const host = new FakeHost({ clock: new FakeClock() });
  for (const [path, values] of Object.entries(records))
    host.tree.write(
      path,
      Object.entries(values)
        .map(([key, value]) => `iface.${key} = ${value}\n`)
        .join(''),
    );
  const [selector] = readOptions({ libvirt: { iscsi_iface: table } }, 'test.toml').iscsiIface;
  return await resolveIface(selector, await readIfaces(host, fakeDatabase(host)), () => {
    throw new Error('the hardware is not asked');
  });
}

describe('resolveIface() of { transport, hwaddress, ipaddress }', () => {
  const mac = fc.mixedCase(fc.constant(MAC));
  const ipv6 = fc.constantFrom(
    '2001:db8::7',
    '2001:DB8::7',
    '2001:DB8:0:0::7',
    '2001:0db8:0000:0000:0000:0000:0000:0007',
    '2001:db8:0:0:0:0:0.0.0.7',
  );

  test('resolveIface() finds the record of transport, MAC and address, in any case and spelling', async () => {
    await fc.assert(
      fc.asyncProperty(mac, ipv6, mac, ipv6, async (ours, ourAddress, theirs, theirAddress) => {
        const { iface, isNew } = await resolved(
          { transport: 'qedi', hwaddress: ours, ipaddress: ourAddress },
          {
            '/etc/iscsi/ifaces/qedi.six': { transport_name: 'qedi', hwaddress: theirs, ipaddress: theirAddress },
            '/etc/iscsi/ifaces/qedi.four': { transport_name: 'qedi', hwaddress: theirs, ipaddress: '192.0.2.7' },
            '/etc/iscsi/ifaces/tcp.six': { transport_name: 'tcp', hwaddress: theirs, ipaddress: theirAddress },
          },
        );
        expect([iface.name, isNew]).toEqual(['qedi.six', false]);
      }),
      { numRuns: 50 },
    );
  });

  test('resolveIface() makes one record of transport, MAC and address, in any case and spelling', async () => {
    await fc.assert(
      fc.asyncProperty(mac, ipv6, async (hwaddress, ipaddress) => {
        const { iface, isNew } = await resolved({ transport: 'qedi', hwaddress, ipaddress }, {});
        expect([iface.name, isNew, iface.hwaddress, iface.ipaddress]).toEqual([
          'libvirt-volume.qedi.000e1eabcdef.2001:db8::7',
          true,
          MAC,
          '2001:db8::7',
        ]);
      }),
      { numRuns: 50 },
    );
  });

  const record = { transport_name: 'qedi', hwaddress: MAC.toUpperCase(), ipaddress: '192.0.2.7' };
  const table = { transport: 'qedi', hwaddress: MAC, ipaddress: '192.0.2.7' };
  test.each<[string, string, readonly string[], string, boolean]>([
    ['the root of its open-iscsi', 'finds it', ['/etc/iscsi/ifaces/mine'], 'mine', false],
    [
      'the only root with records, if it is not that one',
      'does not believe it',
      ['/var/lib/iscsi/ifaces/mine'],
      'libvirt-volume.qedi.000e1eabcdef.192.0.2.7',
      true,
    ],
    ['both roots', 'goes by /etc/iscsi', ['/etc/iscsi/ifaces/mine', '/var/lib/iscsi/ifaces/other'], 'mine', false],
    [
      'the root that open-iscsi does not use',
      'does not believe it',
      ['/var/lib/iscsi/ifaces/mine', '/etc/iscsi/nodes/iqn.a/192.0.2.1,3260,1/default'],
      'libvirt-volume.qedi.000e1eabcdef.192.0.2.7',
      true,
    ],
  ])('resolveIface() of a record in %s %s', async (_where, _what, paths, name, isNew) => {
    const found = await resolved(table, Object.fromEntries(paths.map((path) => [path, record])));
    expect([found.iface.name, found.isNew]).toEqual([name, isNew]);
  });
});
