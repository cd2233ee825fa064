import { describe, expect, test } from '@jest/globals';
import { deferred } from '../../src/base/deferred.js';
import { ADDRESSES, commandsOf, openMultipathWorld } from './multipath-world.js';
import { addTarget, IQN, openRecordedWorld } from './recorded-world.js';

/** As a storage service names a volume whose portals it does not list. */
const SINGULAR = {
  driver_volume_type: 'iscsi',
  serial: 'volume-7',
  data: { volume_id: 'volume-7', target_portal: `${ADDRESSES[0] ?? ''}:3260`, target_iqn: IQN, target_lun: 1 },
};

describe('connect() of a volume of which one portal is named', () => {
  test('connect() over several paths asks the one named portal for the others, over the iface (R37)', async () => {
    const world = openMultipathWorld();
    const { device, paths } = await world.driver.connect(SINGULAR);
    expect({ kind: device.kind, portals: paths.map(({ portal }) => portal.address).toSorted() }).toEqual({
      kind: 'multipath',
      portals: ADDRESSES,
    });
    expect(commandsOf(world)[0]).toMatch(/^iscsiadm -m discoverydb .* -I default -o nonpersistent --discover$/);
    expect(await world.driver.disconnect(SINGULAR)).toMatchObject({ found: true });
    expect(await world.residue()).toEqual([]);
  });

  test('connect() that discovers portals takes none of another target of the array', async () => {
    const world = openMultipathWorld();
    world.host.targets.splice(0);
    addTarget(
      world,
      ADDRESSES.slice(0, 2).map((address) => ({ address, port: 3260, serves: 'tcp' as const })),
    );
    const { paths } = await world.driver.connect(SINGULAR);
    expect(paths.map(({ portal }) => portal.address).toSorted()).toEqual(ADDRESSES.slice(0, 2));
  });

  test('connect() keeps to the named portal where discovery fails, with a warning', async () => {
    const world = openMultipathWorld();
    world.host.discoveryChap = { username: 'u', password: 'not given' };
    const { paths, warnings } = await world.driver.connect(SINGULAR);
    expect({ paths: paths.length, warnings }).toEqual({
      paths: 1,
      warnings: [expect.stringMatching(/^the other portals of the target are not known: /)],
    });
  });

  test('disconnect() takes the record of a discovered portal along whose session has gone', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(SINGULAR);
    loseSession(world, '192.0.2.12');
    await world.driver.disconnect(SINGULAR);
    expect(await world.residue()).toEqual([]);
  });

  test('connect() of a volume that is there brings a discovered portal back whose session has gone', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(SINGULAR);
    loseSession(world, '192.0.2.12');
    expect((await world.driver.connect(SINGULAR)).paths).toHaveLength(4);
    await world.driver.disconnect(SINGULAR);
    expect(await world.residue()).toEqual([]);
  });

  test('connect() with a list of portals brings back no other one, though that has a record', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(SINGULAR);
    loseSession(world, '192.0.2.12');
    const { data } = SINGULAR;
    const portals = ADDRESSES.slice(0, 2).map((address) => `${address}:3260`);
    const list = { target_portals: portals, target_iqns: portals.map(() => data.target_iqn), target_luns: [1, 1] };
    await world.driver.connect({ ...SINGULAR, data: { ...data, ...list } });
    expect(world.host.kernel.sessions.map(({ portal }) => portal.address)).not.toContain('192.0.2.12');
  });

  test('connect() adds a discovered portal that answers late, and disconnect() leaves nothing of it', async () => {
    const world = openMultipathWorld();
    const answer = deferred<undefined>();
    world.host.slowPortals.set(ADDRESSES[2] ?? '', answer.promise);
    const { paths, warnings } = await world.driver.connect(SINGULAR);
    expect({ paths: paths.length, warnings }).toEqual({
      paths: 3,
      warnings: [expect.stringContaining('it joins when there is one')],
    });
    answer.resolve(undefined);
    await world.driver.settled();
    expect(world.host.kernel.multipathd.mapOf('sda')?.disks).toHaveLength(4);
    await world.driver.disconnect(SINGULAR);
    expect(await world.residue()).toEqual([]);
  });

  test('connect() over one path runs no discovery', async () => {
    const world = openRecordedWorld();
    addTarget(world, [{ address: ADDRESSES[0] ?? '', port: 3260, serves: 'tcp' }]);
    await world.driver.connect(SINGULAR);
    expect(commandsOf(world).filter((line) => line.includes('discover'))).toEqual([]);
  });
});

function loseSession({ host }: ReturnType<typeof openMultipathWorld>, address: string): void {
  const session = host.kernel.sessions.find(({ portal }) => portal.address === address);
  if (session === undefined) throw new Error(`No session at ${address}`);
  host.kernel.removeSession(session);
}
