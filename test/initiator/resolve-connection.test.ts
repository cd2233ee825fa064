import { describe, expect, test } from '@jest/globals';
import { SILENT } from '../../src/base/logger.js';
import { readConnectionInfo } from '../../src/connection/read-connection-info.js';
import type { Portal } from '../../src/connection/portal.js';
import { BUILT_IN_IFACES, type Iface } from '../../src/iface/iface.js';
import { NodeDatabase } from '../../src/initiator/records/node-database.js';
import { resolveConnection, type ResolvedConnection } from '../../src/initiator/resolve-connection.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { fakeDatabase } from '../fakes/fake-database.js';
import { FakeHost } from '../fakes/fake-host.js';
import { FakeHostNames } from '../fakes/fake-host-names.js';

const IQN = 'iqn.2026-11.org.example:named';
const SIGNAL = new AbortController().signal;
const [TCP] = BUILT_IN_IFACES as readonly [Iface, Iface];

interface World {
  readonly host: FakeHost;
  readonly names: FakeHostNames;
  readonly database: NodeDatabase;
  readonly resolve: (portals: readonly string[]) => Promise<ResolvedConnection>;
}

function open(addresses: Readonly<Record<string, readonly string[]>>): World {
  const clock = new FakeClock();
  const host = new FakeHost({ clock });
  const names = new FakeHostNames();
  for (const [name, list] of Object.entries(addresses)) names.addresses.set(name, list);
  return {
    host,
    names,
    database: new NodeDatabase({
      files: host,
      logger: SILENT,
      stateDirectory: '/var/lib/libvirt-volume',
      database: fakeDatabase(host),
    }),
    resolve: async (portals) =>
      await resolveConnection(
        listed(portals),
        { files: host, database: fakeDatabase(host), hostNames: names, logger: SILENT },
        SIGNAL,
      ),
  };
}

function listed(portals: readonly string[]): ReturnType<typeof readConnectionInfo> {
  return readConnectionInfo({
    driver_volume_type: 'iscsi',
    data: { target_portals: portals, target_iqns: portals.map(() => IQN), target_lun: 1, volume_id: 'v' },
  });
}

const addressesOf = ({ connection }: ResolvedConnection): readonly string[] =>
  connection.paths.map(({ portal: { address, port } }) => `${address} ${port}`);

/** As a connect leaves it. */
async function recordFor({ database, resolve }: World, name: string): Promise<Portal> {
  const {
    connection: {
      paths: [{ target, portal }],
    },
  } = await resolve([name]);
  await database.put({ target, portal, iface: TCP }, { loginTimeoutSeconds: 15, chap: undefined }, SIGNAL);
  return portal;
}

describe('resolveConnection()', () => {
  test('resolveConnection() asks nobody where all portals are addresses', async () => {
    const { connection, notes } = await open({}).resolve(['192.0.2.1:3260', '[2001:db8::1]:3261']);
    expect(connection).toEqual(listed(['192.0.2.1:3260', '[2001:db8::1]:3261']));
    expect(notes).toEqual([]);
  });

  test("resolveConnection() makes a path of each address of a name, in the resolver's order, and logs it", async () => {
    const world = open({ 'storage.example.org': ['2001:db8::7', '192.0.2.7'] });
    const resolved = await world.resolve(['192.0.2.1', 'Storage.example.org:3261', '192.0.2.2']);
    expect(addressesOf(resolved)).toEqual(['192.0.2.1 3260', '2001:db8::7 3261', '192.0.2.7 3261', '192.0.2.2 3260']);
    expect(resolved.notes).toEqual(['storage.example.org:3261 is [2001:db8::7]:3261, 192.0.2.7:3261']);
  });

  test('resolveConnection() makes one path of an address that is listed by itself and by name', async () => {
    expect(addressesOf(await open({ storage: ['192.0.2.1', '192.0.2.2'] }).resolve(['storage', '192.0.2.1']))).toEqual([
      '192.0.2.1 3260',
      '192.0.2.2 3260',
    ]);
  });

  test('resolveConnection() is PORTAL_UNREACHABLE for a name without an address or a managed record', async () => {
    await expect(open({}).resolve(['192.0.2.1', 'gone.example.org'])).rejects.toMatchObject({
      code: 'PORTAL_UNREACHABLE',
      message: 'Cannot resolve the host name gone.example.org: it has no address',
    });
  });

  test('resolveConnection() finds the address of a managed record, after the name has moved', async () => {
    const world = open({ storage: ['192.0.2.1'] });
    await recordFor(world, 'storage');
    world.names.addresses.set('storage', ['192.0.2.9']);
    const resolved = await world.resolve(['storage']);
    expect(addressesOf(resolved)).toEqual(['192.0.2.9 3260', '192.0.2.1 3260']);
    expect(resolved.notes).toEqual(['storage:3260 is 192.0.2.9:3260; its sessions were made to 192.0.2.1:3260']);
  });

  test('resolveConnection() finds the address of a managed record of a name that is no longer known', async () => {
    const world = open({ storage: ['2001:db8::1'] });
    const portal = await recordFor(world, 'storage:3261');
    world.names.addresses.clear();
    const resolved = await world.resolve(['storage:3261']);
    expect(resolved.connection.paths.map((path) => path.portal)).toEqual([portal]);
    expect(resolved.notes).toEqual(['storage:3261 cannot be resolved; its sessions were made to [2001:db8::1]:3261']);
  });

  test.each<[string, (text: string) => string]>([
    ['is not ours', (text) => text.replace(/^# Made by .*\n/m, '')],
    ['names another portal', (text) => text.replace('# Portal storage:3260', '# Portal storage-2:3260')],
    ['names none', (text) => text.replace(/^# Portal .*\n/m, '')],
  ])('resolveConnection() uses no address of a record that %s', async (_what, change) => {
    const world = open({ storage: ['192.0.2.1'] });
    await recordFor(world, 'storage');
    const path = `/etc/iscsi/nodes/${IQN}/192.0.2.1,3260,1/default`;
    world.host.tree.write(path, change(world.host.tree.read(path) ?? ''));
    world.names.addresses.set('storage', ['192.0.2.9']);
    expect(addressesOf(await world.resolve(['storage']))).toEqual(['192.0.2.9 3260']);
  });

  test('resolveConnection() keeps the name in a managed record that is changed', async () => {
    const world = open({ storage: ['192.0.2.1'] });
    const portal = await recordFor(world, 'storage');
    const [{ target }] = listed(['storage']).paths;
    await world.database.put({ target, portal, iface: TCP }, { loginTimeoutSeconds: 3, chap: undefined }, SIGNAL);
    world.names.addresses.clear();
    expect(addressesOf(await world.resolve(['storage']))).toEqual(['192.0.2.1 3260']);
  });
});
