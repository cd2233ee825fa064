import { describe, expect, test } from '@jest/globals';
import { failure, INFO, type MultipathWorld, openMultipathWorld, PORTALS } from './multipath-world.js';
import { infoFor, openRecordedWorld } from './recorded-world.js';

const BOUND = { 'nic-a': 'eth1', 'nic-b': 'eth2' };

function open(config: Readonly<Record<string, unknown>> = {}): MultipathWorld {
  const world = openMultipathWorld({ iscsi_iface: ['nic-a', 'nic-b'], ...config });
  for (const [name, device] of Object.entries(BOUND)) {
    world.host.tree.write(`/etc/iscsi/ifaces/${name}`, `iface.iscsi_ifacename = ${name}\niface.net_ifacename = ${device}\niface.transport_name = tcp\n`);
    world.host.tree.write(`/sys/class/net/${device}/address`, '52:54:00:00:00:01\n');
  }
  return world;
}

describe('connect() over several ifaces', () => {
  test('has a session over each to each portal', async () => {
    const world = open();
    const { paths, transport } = await world.driver.connect(infoFor(PORTALS.slice(0, 2)));
    expect(paths.map(({ iface, portal }) => `${iface} ${portal.address}`).toSorted()).toEqual(['nic-a 192.0.2.10', 'nic-a 192.0.2.11', 'nic-b 192.0.2.10', 'nic-b 192.0.2.11']);
    expect(transport).toEqual({ requested: 'nic-a,nic-b', used: 'nic-a,nic-b', fallback: undefined });
    await world.driver.disconnect(infoFor(PORTALS.slice(0, 2)));
    expect((await world.residue()).filter((line) => !line.includes('/ifaces/'))).toEqual([]);
  });

  test('goes without one that cannot be used, and says why', async () => {
    const world = open();
    world.host.tree.remove('/sys/class/net/eth2');
    const { paths, warnings } = await world.driver.connect(infoFor(PORTALS.slice(0, 1)));
    expect({ ifaces: paths.map(({ iface }) => iface), warnings }).toEqual({ ifaces: ['nic-a'], warnings: [expect.stringMatching(/^Cannot use the iface nic-b: .*eth2/)] });
  });

  test('is refused where none can be used', async () => {
    const world = open();
    for (const device of Object.values(BOUND)) world.host.tree.remove(`/sys/class/net/${device}`);
    expect(await failure(world.driver.connect(INFO))).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE', message: 'Cannot use any of the ifaces nic-a, nic-b' });
  });

  test('is refused by the configuration without volume_use_multipath', () => {
    expect(() => openRecordedWorld({ iscsi_iface: ['default', 'iser'] })).toThrow(/libvirt\.iscsi_iface lists several ifaces/);
  });
});

test('connect() that falls back has every path over TCP, and the next connect() keeps it so', async () => {
  const world = openMultipathWorld({ iscsi_iface: 'iser' });
  const { paths, transport } = await world.driver.connect(INFO);
  expect({ ifaces: new Set(paths.map(({ iface }) => iface)), transport }).toMatchObject({ ifaces: new Set(['default']), transport: { requested: 'iser', used: 'default', fallback: { code: 'PORTAL_UNREACHABLE' } } });
  const again = await world.driver.connect(INFO);
  expect(new Set(again.paths.map(({ iface }) => iface))).toEqual(new Set(['default']));
});
