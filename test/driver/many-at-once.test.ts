import { describe, expect, test } from '@jest/globals';
import { OPEN_ISCSI_2_1_11, THIS_RELEASE } from '../fakes/fake-release.js';
import { FakeTarget } from '../fakes/fake-target.js';
import { type FakeWorld, openFakeWorld } from '../fakes/fake-world.js';

const PORTALS = ['192.0.2.10', '192.0.2.11', '192.0.2.12', '192.0.2.13'];

/** So many targets with one volume each. @param portals how many of each */
function publish({ host }: FakeWorld, count: number, portals = 1): readonly unknown[] {
  const addresses = PORTALS.slice(0, portals);
  return Array.from({ length: count }, (_unused, index) => {
    const iqn = `iqn.2026-11.org.example:of-many-${index}`;
    const target = new FakeTarget({
      iqn,
      portals: addresses.map((address) => ({ address, port: 3260, serves: 'tcp' })),
    });
    target.units.set(1, { wwid: `naa.6001405${String(index).padStart(25, '0')}`, sizeBytes: 2 ** 30 });
    host.targets.push(target);
    const lists = {
      target_portals: addresses.map((address) => `${address}:3260`),
      target_iqns: addresses.map(() => iqn),
      target_luns: addresses.map(() => 1),
    };
    return { driver_volume_type: 'iscsi', serial: `volume-${index}`, data: { volume_id: `volume-${index}`, ...lists } };
  });
}

/** What became of them all: a line for each that failed. */
async function failures(calls: readonly Promise<unknown>[]): Promise<readonly string[]> {
  const settled = await Promise.allSettled(calls);
  return settled.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
}

describe('volumes of as many targets at once', () => {
  // once: it takes a while
  const most: readonly [number, number, number][] = THIS_RELEASE === OPEN_ISCSI_2_1_11 ? [[256, 1, 4]] : [];
  test.each<[number, number, number]>([[32, 1, 1], [32, 1, 4], [16, 4, 1], ...most])(
    'connect() and disconnect() of %i volumes at once, over %i paths, by %i processes, leave nothing',
    async (count, portals, drivers) => {
      const config = { volume_use_multipath: portals > 1 };
      const world = openFakeWorld(config);
      world.host.kernel.multipathd.start();
      const infos = publish(world, count, portals);
      const others = Array.from(
        { length: drivers - 1 },
        () => openFakeWorld(config, 'iscsi', world, 'besides it').driver,
      );
      const all = [world.driver, ...others];
      const driverOf = (index: number): FakeWorld['driver'] => all[index % drivers] ?? world.driver;
      world.host.toolLock.readMs = count > 32 ? 1 : 2;
      expect(await failures(infos.map(async (info, index) => await driverOf(index).connect(info)))).toEqual([]);
      expect(world.host.kernel.sessions).toHaveLength(count * portals);
      expect(await failures(infos.map(async (info, index) => await driverOf(index).disconnect(info)))).toEqual([]);
      expect(world.host.residue()).toEqual([]);
    },
    600_000,
  );
});
