import { describe, expect, test } from '@jest/globals';
import { type ForeignWorld, openForeignWorld, slavesOf } from './foreign-world.js';
import { failure, INFO } from './multipath-world.js';

describe.each(['socket', 'program'] as const)(
  'a multipathd that listens and says nothing, asked over its %s',
  (askedBy) => {
    const open = (config = {}): ForeignWorld => {
      const world = openForeignWorld(config);
      world.host.kernel.multipathd.askedBy = askedBy;
      return world;
    };

    test('connect() with a silent multipathd uses one path, with a warning, as without multipathd', async () => {
      const world = open();
      world.host.kernel.multipathd.hangs = true;
      const began = world.clock.now();
      const { device, paths, warnings } = await world.driver.connect(INFO);
      expect({ device: device.kind, paths: paths.length, warnings }).toEqual({
        device: 'disk',
        paths: 1,
        warnings: ['the volume has one path only: multipathd does not answer'],
      });
      expect({ sessions: world.host.kernel.sessions.length, bounded: world.clock.now() - began < 30_000 }).toEqual({
        sessions: 1,
        bounded: true,
      });
      await world.driver.disconnect(INFO);
      expect(await world.residue()).toEqual([]);
    });

    test('connect() with a silent multipathd is MULTIPATH_UNAVAILABLE where a map is enforced', async () => {
      const world = open({ volume_enforce_multipath: true });
      world.host.kernel.multipathd.hangs = true;
      expect(await failure(world.driver.connect(INFO))).toMatchObject({
        code: 'MULTIPATH_UNAVAILABLE',
        hint: 'systemctl restart multipathd',
      });
      expect(await world.residue()).toEqual([]);
    });

    test('disconnect() removes a map by multipath when multipathd is silent', async () => {
      const world = open();
      await world.driver.connect(INFO);
      world.host.kernel.multipathd.hangs = true;
      expect(await world.driver.disconnect(INFO)).toMatchObject({ found: true });
      expect(await world.residue()).toEqual([]);
    });

    test('extend() and a connect() that adds paths end in bounded time when multipathd is silent', async () => {
      const world = open();
      await world.driver.connect(INFO);
      world.host.kernel.multipathd.hangs = true;
      const began = world.clock.now();
      expect((await world.driver.connect(INFO)).device.kind).toBe('multipath');
      world.target.resize(1, 2 * 2 ** 30);
      expect(await failure(world.driver.extend(INFO))).toMatchObject({ code: 'RESIZE_FAILED' });
      expect({ bounded: world.clock.now() - began < 240_000, slaves: slavesOf(world).length }).toEqual({
        bounded: true,
        slaves: 4,
      });
    });
  },
);
