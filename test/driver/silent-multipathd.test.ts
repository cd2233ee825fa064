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

    test('costs connect() the map and not the volume: one path and a warning, as where it does not run', async () => {
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

    test('is MULTIPATH_UNAVAILABLE where a map is enforced, and leaves nothing', async () => {
      const world = open({ volume_enforce_multipath: true });
      world.host.kernel.multipathd.hangs = true;
      expect(await failure(world.driver.connect(INFO))).toMatchObject({
        code: 'MULTIPATH_UNAVAILABLE',
        hint: 'systemctl restart multipathd',
      });
      expect(await world.residue()).toEqual([]);
    });

    test('does not keep disconnect() from a map: multipath removes it', async () => {
      const world = open();
      await world.driver.connect(INFO);
      world.host.kernel.multipathd.hangs = true;
      expect(await world.driver.disconnect(INFO)).toMatchObject({ found: true });
      expect(await world.residue()).toEqual([]);
    });

    test('keeps extend() and a connect() that adds paths from no end', async () => {
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
