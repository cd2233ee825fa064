import { describe, expect, test } from '@jest/globals';
import { INFO as FOUR_PATHS, failure, MAP, openMultipathWorld } from './multipath-world.js';
import { addTarget, openRecordedWorld, type RecordedWorld } from './recorded-world.js';
import { INFO, OTHER_UNIT, TCP } from './regression-world.js';

const WEB1 = { kind: 'name', name: 'web1' } as const;
const VDB = { dev: 'vdb', bus: 'virtio' };
const OURS = MAP.wwid;
const OTHER = `3${OTHER_UNIT.wwid.slice(4)}`;
const REMOVALS = /^sync|^delete|^remove|logout|guest is asked/;

function openOnePath(): RecordedWorld {
  const world = openRecordedWorld();
  addTarget(world, [TCP]);
  world.libvirt.addDomain({ name: 'web1' });
  return world;
}

/** What of guest and host has been touched. */
const removalsIn = ({ deeds }: RecordedWorld): readonly string[] => deeds.filter((deed) => REMOVALS.test(deed));

describe('disconnect() with the WWID of the volume that must be there', () => {
  test('disconnect() with the right WWID removes the volume, and is quiet where nothing is there', async () => {
    const world = openOnePath();
    const { device } = await world.driver.connect(INFO);
    expect(device.wwid).toBe(OURS);
    expect(await world.driver.disconnect(INFO, { wwid: OURS })).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
    expect(await world.driver.disconnect(INFO, { wwid: OURS })).toEqual({ found: false, warnings: [] });
  });

  test.each([false, true])(
    'disconnect() with another WWID touches nothing, even if nobody has it open: force %s (R45, R46)',
    async (force) => {
      const world = openOnePath();
      await world.driver.connect(INFO);
      const before = await world.residue();
      expect(await failure(world.driver.disconnect(INFO, { wwid: OTHER, force }))).toMatchObject({
        code: 'DEVICE_MISMATCH',
        message: `Cannot disconnect the volume: /dev/sda is ${OURS}; expected ${OTHER}`,
        details: { device: '/dev/sda', found: OURS, expected: OTHER },
      });
      expect({ residue: await world.residue(), removals: removalsIn(world) }).toEqual({
        residue: before,
        removals: [],
      });
    },
  );

  test('disconnect() with a WWID refuses a remapped LUN each time, before and after the kernel knows', async () => {
    const world = openOnePath();
    await world.driver.connect(INFO);
    world.host.targets[0]?.units.set(1, OTHER_UNIT);
    const disconnect = async (): Promise<unknown> =>
      await failure(world.driver.disconnect(INFO, { wwid: OURS, force: true }));
    expect((await world.driver.find(INFO))?.device.wwid).toBe(OURS);
    expect(await disconnect()).toMatchObject({ code: 'DEVICE_MISMATCH', details: { found: OTHER, expected: OURS } });
    expect((await world.driver.find(INFO))?.device.wwid).toBe(OTHER);
    expect(await disconnect()).toMatchObject({ code: 'DEVICE_MISMATCH', details: { found: OTHER, expected: OURS } });
    expect(removalsIn(world)).toEqual([]);
  });

  test.each(['', 'naa.60014057777777777777777777777777', null as unknown as string])(
    'disconnect() takes the WWID %j for no wildcard',
    async (wwid) => {
      const world = openOnePath();
      await world.driver.connect(INFO);
      expect(await failure(world.driver.disconnect(INFO, { wwid }))).toMatchObject({ code: 'DEVICE_MISMATCH' });
      expect(removalsIn(world)).toEqual([]);
    },
  );

  test('disconnect() with a WWID refuses a disk that reports none', async () => {
    const world = openOnePath();
    world.host.targets[0]?.units.set(1, { ...OTHER_UNIT, wwid: '' });
    await world.driver.connect(INFO);
    expect(await failure(world.driver.disconnect(INFO, { wwid: OURS }))).toMatchObject({
      code: 'DEVICE_MISMATCH',
      message: `Cannot disconnect the volume: /dev/sda reports no WWID; expected ${OURS}`,
    });
    expect(removalsIn(world)).toEqual([]);
  });

  test('disconnect() with the WWID removes a map of four paths, one of them down and not asked', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(FOUR_PATHS);
    const [dead] = world.host.kernel.sessions;
    if (dead === undefined) throw new RangeError('No session');
    world.host.kernel.setState(dead, 'FAILED');
    expect(await failure(world.driver.disconnect(FOUR_PATHS, { wwid: OTHER }))).toMatchObject({
      code: 'DEVICE_MISMATCH',
    });
    expect(removalsIn(world)).toEqual([]);
    expect(await world.driver.disconnect(FOUR_PATHS, { wwid: OURS })).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test('disconnect() with the WWID refuses a map of another volume over disks of the right one', async () => {
    const world = openMultipathWorld();
    world.target.units.set(1, OTHER_UNIT);
    await world.driver.connect(FOUR_PATHS);
    world.target.units.set(1, { ...OTHER_UNIT, wwid: `naa.${OURS.slice(1)}` });
    expect(await failure(world.driver.disconnect(FOUR_PATHS, { wwid: OURS }))).toMatchObject({
      code: 'DEVICE_MISMATCH',
      details: { device: '/dev/dm-0', found: OTHER },
    });
    expect(removalsIn(world)).toEqual([]);
  });
});

describe('detach() with the WWID of the volume that must be there', () => {
  test('detach() with another WWID asks no guest and touches nothing', async () => {
    const world = openOnePath();
    await world.driver.attach(WEB1, INFO, VDB);
    expect(await failure(world.driver.detach(WEB1, INFO, { wwid: OTHER, force: true }))).toMatchObject({
      code: 'DEVICE_MISMATCH',
    });
    expect({
      removals: removalsIn(world),
      live: world.libvirt.disksOf('web1').length,
      config: world.libvirt.disksOf('web1', 'config').length,
    }).toEqual({ removals: [], live: 1, config: 1 });
    expect(await world.driver.detach(WEB1, INFO, { wwid: OURS })).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test('detach() with a WWID finds the guest without its volume where nothing is on the host', async () => {
    const world = openOnePath();
    await world.driver.attach(WEB1, INFO, VDB);
    for (const session of [...world.host.kernel.sessions]) world.host.kernel.removeSession(session);
    expect(await world.driver.detach(WEB1, INFO, { wwid: OURS })).toEqual({ found: true, warnings: [] });
    expect({ residue: await world.residue(), live: world.libvirt.disksOf('web1') }).toEqual({ residue: [], live: [] });
  });
});
