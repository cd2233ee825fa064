import { describe, expect, test } from '@jest/globals';
import { deferred } from '../../src/base/deferred.js';
import { failure, INFO, openMultipathWorld } from './multipath-world.js';
import { dataChanged, IQN } from './recorded-world.js';
import { ROOT } from '../fakes/fake-release.js';

describe.each([
  ['', []],
  [' to a login that had to be run again (R22)', ['before']],
] as const)('connect() with a portal that does not answer%s', (_what, vanishing) => {
  test('connect() does not wait for a silent portal, and adds its path once it answers', async () => {
    const world = openMultipathWorld();
    world.host.vanishingRecords.push(...vanishing);
    const answer = deferred<undefined>();
    world.host.slowPortals.set('192.0.2.12', answer.promise);
    const { paths, warnings } = await world.driver.connect(INFO);
    expect({ paths: paths.length, warnings }).toEqual({
      paths: 3,
      warnings: ['3 of 4 paths are open; 192.0.2.12:3260 over default: no answer yet, it joins when there is one'],
    });
    answer.resolve(undefined);
    await world.driver.settled();
    expect((await world.driver.find(INFO))?.paths).toHaveLength(4);
    expect(world.host.kernel.multipathd.mapOf('sda')?.disks).toHaveLength(4);
    await world.driver.disconnect(INFO);
    expect(await world.residue()).toEqual([]);
  });

  test('connect() logs a late path out again when the volume is disconnected by then', async () => {
    const world = openMultipathWorld();
    world.host.vanishingRecords.push(...vanishing);
    const answer = deferred<undefined>();
    world.host.slowPortals.set('192.0.2.12', answer.promise);
    await world.driver.connect(INFO);
    await world.driver.disconnect(INFO);
    answer.resolve(undefined);
    await world.driver.settled();
    expect({ sessions: world.host.kernel.sessions, residue: await world.residue() }).toEqual({
      sessions: [],
      residue: [],
    });
  });
});

describe('connect() with a portal that does not answer', () => {
  test("connect() waits for a silent portal that has an administrator's record, and restores the record", async () => {
    const world = openMultipathWorld();
    const path = `${ROOT}/nodes/${IQN}/192.0.2.12,3260,1/default`;
    const theirs =
      `node.name = ${IQN}\nnode.tpgt = 1\nnode.startup = manual\niface.iscsi_ifacename = ` +
      `default\nnode.conn[0].address = 192.0.2.12\nnode.session.auth.password = theirs\n`;
    world.host.tree.write(path, theirs);
    const answer = deferred<undefined>();
    world.host.slowPortals.set('192.0.2.12', answer.promise);
    const connecting = world.driver.connect(INFO);
    for (let turn = 0; turn < 2_000; turn++) await new Promise((resolve) => setImmediate(resolve));
    answer.resolve(undefined);
    expect((await connecting).paths).toHaveLength(4);
    expect(world.host.tree.read(path)).toBe(theirs);
    await world.driver.disconnect(INFO);
    expect(await world.residue()).toEqual([path]);
  });

  test('close() drops the late path of a silent portal, and the next connect() adds it', async () => {
    const world = openMultipathWorld();
    const answer = deferred<undefined>();
    world.host.slowPortals.set('192.0.2.12', answer.promise);
    await world.driver.connect(INFO);
    await world.driver.close();
    answer.resolve(undefined);
    await new Promise((resolve) => setImmediate(resolve));
    expect((await world.driver.connect(INFO)).paths).toHaveLength(4);
  });

  test('connect() that fails ends the session of a silent portal once it is up', async () => {
    const world = openMultipathWorld();
    const answer = deferred<undefined>();
    world.host.slowPortals.set('192.0.2.12', answer.promise);
    world.target.units.set(2, { wwid: `naa.6001405${'8'.repeat(25)}`, sizeBytes: 2 ** 30 });
    expect(await failure(world.driver.connect(dataChanged(INFO, { target_luns: [1, 2, 1, 1] })))).toMatchObject({
      code: 'DEVICE_MISMATCH',
    });
    answer.resolve(undefined);
    await world.driver.settled();
    expect({ sessions: world.host.kernel.sessions, residue: await world.residue() }).toEqual({
      sessions: [],
      residue: [],
    });
  });
});
