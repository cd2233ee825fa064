import { describe, expect, test } from '@jest/globals';
import { unitsBehind } from '../../src/device/units-behind.js';
import { readSessions } from '../../src/initiator/read-sessions.js';
import { IQN } from '../driver/recorded-world.js';
import { INFO, openMultipathWorld } from '../driver/multipath-world.js';

describe('unitsBehind()', () => {
  test('unitsBehind() names target and LUN of a disk, and of each disk under a map', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(INFO);
    const sessions = await readSessions(world.host);
    expect(await unitsBehind('/dev/sda', sessions, world.host)).toEqual([{ target: IQN, lun: 1 }]);
    expect(await unitsBehind('/dev/dm-0', sessions, world.host)).toEqual(
      Array.from({ length: 4 }, () => ({ target: IQN, lun: 1 })),
    );
  });

  test('unitsBehind() names none for a missing device, one that is no iSCSI disk, or an odd path', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(INFO);
    const sessions = await readSessions(world.host);
    world.host.tree.blockDevice('/dev/vda');
    for (const path of ['/dev/sdz', '/dev/vda', '/images/a'])
      expect(await unitsBehind(path, sessions, world.host)).toEqual([]);
    expect(await unitsBehind('/dev/sda', [], world.host)).toEqual([]);
  });
});
