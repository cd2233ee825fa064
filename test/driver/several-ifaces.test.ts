import { describe, expect, test } from '@jest/globals';
import { failure, INFO, type MultipathWorld, openMultipathWorld, PORTALS } from './multipath-world.js';
import type { NetAddress } from '../../src/host/net-addresses.js';
import { addTarget, infoFor, openRecordedWorld } from './recorded-world.js';
import { ROOT } from '../fakes/fake-release.js';

const BOUND = { 'nic-a': 'eth1', 'nic-b': 'eth2' };

function open(config: Readonly<Record<string, unknown>> = {}, addresses: readonly NetAddress[] = []): MultipathWorld {
  const world = openMultipathWorld({ iscsi_iface: ['nic-a', 'nic-b'], ...config }, addresses);
  for (const [name, device] of Object.entries(BOUND)) {
    world.host.tree.write(
      `${ROOT}/ifaces/${name}`,
      `iface.iscsi_ifacename = ${name}\niface.net_ifacename = ${device}\niface.transport_name = tcp\n`,
    );
    world.host.tree.write(`/sys/class/net/${device}/address`, '52:54:00:00:00:01\n');
  }
  return world;
}

describe('connect() over several ifaces', () => {
  test('connect() over several ifaces has a session over each to each portal', async () => {
    const world = open();
    const { paths, transport } = await world.driver.connect(infoFor(PORTALS.slice(0, 2)));
    expect(paths.map(({ iface, portal }) => `${iface} ${portal.address}`).toSorted()).toEqual([
      'nic-a 192.0.2.10',
      'nic-a 192.0.2.11',
      'nic-b 192.0.2.10',
      'nic-b 192.0.2.11',
    ]);
    expect(transport).toEqual({ requested: 'nic-a,nic-b', used: 'nic-a,nic-b', fallback: undefined });
    await world.driver.disconnect(infoFor(PORTALS.slice(0, 2)));
    expect((await world.residue()).filter((line) => !line.includes('/ifaces/'))).toEqual([]);
  });

  test('connect() over several ifaces skips an unusable one, and gives the reason', async () => {
    const world = open();
    world.host.tree.remove('/sys/class/net/eth2');
    const { paths, warnings } = await world.driver.connect(infoFor(PORTALS.slice(0, 1)));
    expect({ ifaces: paths.map(({ iface }) => iface), warnings }).toEqual({
      ifaces: ['nic-a'],
      warnings: [expect.stringMatching(/^Cannot use the iface nic-b: .*eth2/)],
    });
  });

  test('connect() over several ifaces is refused where none is usable', async () => {
    const world = open();
    for (const device of Object.values(BOUND)) world.host.tree.remove(`/sys/class/net/${device}`);
    expect(await failure(world.driver.connect(INFO))).toMatchObject({
      code: 'TRANSPORT_UNAVAILABLE',
      message: 'Cannot use any of the ifaces nic-a, nic-b',
    });
  });

  test('readOptions() refuses several ifaces without volume_use_multipath', () => {
    expect(() => openRecordedWorld({ iscsi_iface: ['default', 'iser'] })).toThrow(
      /libvirt\.iscsi_iface lists several ifaces/,
    );
  });
});

test('connect() that falls back has every path over TCP, and the next connect() keeps it so', async () => {
  const world = openMultipathWorld({ iscsi_iface: 'iser' });
  const { paths, transport } = await world.driver.connect(INFO);
  expect({ ifaces: new Set(paths.map(({ iface }) => iface)), transport }).toMatchObject({
    ifaces: new Set(['default']),
    transport: { requested: 'iser', used: 'default', fallback: { code: 'PORTAL_UNREACHABLE' } },
  });
  const again = await world.driver.connect(INFO);
  expect(new Set(again.paths.map(({ iface }) => iface))).toEqual(new Set(['default']));
});

describe('connect() over ifaces on networks of their own', () => {
  function openWithNetworks(): MultipathWorld {
    const addresses = [
      { netdev: 'eth1', address: '192.0.2.1', prefix: 24 },
      { netdev: 'eth2', address: '198.51.100.1', prefix: 24 },
    ];
    return open({}, addresses);
  }

  test('connect() over ifaces on separate networks uses for each the portals of its own network', async () => {
    const world = openWithNetworks();
    world.host.targets.splice(0);
    addTarget(world, [
      { address: '192.0.2.10', port: 3260, serves: 'tcp' },
      { address: '198.51.100.10', port: 3260, serves: 'tcp' },
    ]);
    const { paths, warnings } = await world.driver.connect(infoFor(['192.0.2.10:3260', '198.51.100.10:3260']));
    expect({ ways: paths.map(({ iface, portal }) => `${iface} ${portal.address}`).toSorted(), warnings }).toEqual({
      ways: ['nic-a 192.0.2.10', 'nic-b 198.51.100.10'],
      warnings: [],
    });
  });

  test('connect() over several ifaces names an iface that reaches no portal', async () => {
    const { paths, warnings } = await openWithNetworks().driver.connect(infoFor(PORTALS.slice(0, 1)));
    expect({ ifaces: paths.map(({ iface }) => iface), warnings }).toEqual({
      ifaces: ['nic-a'],
      warnings: [
        expect.stringMatching(
          /^Cannot use the iface nic-b: the portal 192\.0\.2\.10 is on the network of the iface nic-a/,
        ),
      ],
    });
  });
});

test('connect() over two NICs in one network warns of settings that break them, with the remedy', async () => {
  const world = open({}, [
    { netdev: 'eth1', address: '192.0.2.1', prefix: 24 },
    { netdev: 'eth2', address: '192.0.2.2', prefix: 24 },
  ]);
  for (const name of ['all', 'eth1', 'eth2']) {
    for (const [key, value] of Object.entries({ rp_filter: '1', arp_ignore: '1', arp_filter: '0' }))
      world.host.tree.write(`/proc/sys/net/ipv4/conf/${name}/${key}`, `${value}\n`);
  }
  const { warnings } = await world.driver.connect(INFO);
  expect(warnings).toEqual([
    expect.stringMatching(
      /rp_filter is strict.*: sysctl -w net\.ipv4\.conf\.eth1\.rp_filter=2 net\.ipv4\.conf\.eth2\.rp_filter=2$/,
    ),
  ]);
});
