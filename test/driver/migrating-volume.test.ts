import { describe, expect, test } from '@jest/globals';
import type { MigratingVolume } from '../../src/driver/migrating-volume.js';
import {
  asJson,
  DESTINATION_LUN,
  infoAt,
  openTwoHosts,
  migrate,
  prepare,
  removalsOn,
  SOURCE_LUN,
  WEB1,
} from './migration-world.js';
import { failure } from './multipath-world.js';

const VDB = { dev: 'vdb', bus: 'virtio' };
const AT_SOURCE = infoAt(SOURCE_LUN);
const AT_DESTINATION = infoAt(DESTINATION_LUN);

describe('what prepareMigration() gave', () => {
  test.each<[unknown, string]>([
    [undefined, 'the migrating volume is missing: expected an object'],
    ['volume-7', 'the migrating volume is "volume-7": expected an object'],
    [{ guest: undefined }, 'guest is missing: expected an object'],
    [{ guest: { name: 'web1' } }, 'guest.uuid is missing: expected a text'],
    [{ wwid: '' }, 'wwid is "": expected a text'],
    [{ kind: 'disc' }, 'kind is "disc": expected disk or multipath'],
    [{ sourcePath: 7 }, 'sourcePath is 7: expected a text'],
    [{ targetDev: null }, 'targetDev is null: expected a text'],
    [{ alias: 1 }, 'alias is 1: expected a text'],
    [{ secretUuid: {} }, 'secretUuid is {}: expected a text'],
  ])('MigratingVolume that has been altered is refused by each call: %j', async (change, words) => {
    const { source, destination } = openTwoHosts();
    await source.driver.attach(WEB1, AT_SOURCE, VDB);
    const good = await source.driver.prepareMigration(WEB1, AT_SOURCE);
    const bad = (typeof change === 'object' ? { ...good, ...change } : change) as MigratingVolume;
    for (const call of [
      source.driver.finishMigration(AT_SOURCE, bad),
      destination.driver.cancelMigration(AT_DESTINATION, bad),
      destination.driver.connectForMigration(AT_DESTINATION, bad),
    ]) {
      expect(await failure(call)).toMatchObject({
        code: 'USAGE',
        message: `Cannot use the migrating volume: ${words}`,
      });
    }
    expect(removalsOn(source)).toEqual([]);
  });

  test('MigratingVolume can be kept as JSON, with null for absent values', async () => {
    const world = openTwoHosts();
    await world.source.driver.attach(WEB1, AT_SOURCE, VDB);
    const prepared = await prepare(world);
    await migrate(world, prepared);
    expect(
      await world.source.driver.finishMigration(
        AT_SOURCE,
        asJson({ ...prepared.volume, secretUuid: null } as unknown as MigratingVolume),
      ),
    ).toEqual({ found: true, warnings: [] });
  });
});
