import { describe, expect, test } from '@jest/globals';
import type { FakeSession } from '../fakes/fake-kernel.js';
import { failure, INFO as FOUR, openMultipathWorld, PORTALS } from './multipath-world.js';
import { addTarget, infoFor, openRecordedWorld, type RecordedWorld } from './recorded-world.js';
import { INFO, OTHER_UNIT, TCP } from './regression-world.js';

const SECOND = {
  ...infoFor(PORTALS, { volume_id: 'volume-8', target_luns: PORTALS.map(() => 2) }),
  serial: 'volume-8',
};

function sessionAt({ host }: RecordedWorld, index: number): FakeSession {
  const session = host.kernel.sessions[index];
  if (session === undefined) throw new RangeError(`No session ${index}`);
  return session;
}

async function lapse(world: RecordedWorld, work: Promise<unknown>): Promise<number> {
  const began = world.clock.now();
  await work;
  return world.clock.now() - began;
}

function later({ clock }: RecordedWorld, ms: number, deed: () => void): void {
  void clock.sleep(ms, new AbortController().signal).then(deed);
}

describe('a session in recovery beside healthy ones', () => {
  test('connect() of a second volume does not wait for it, and its path joins once it is up', async () => {
    const world = openMultipathWorld({ login_timeout_seconds: 15 });
    await world.driver.connect(FOUR);
    world.target.units.set(2, OTHER_UNIT);
    const sick = sessionAt(world, 0);
    world.host.kernel.setState(sick, 'FAILED');
    later(world, 4_000, () => {
      world.host.kernel.setState(sick, 'LOGGED_IN');
    });
    const connected = world.driver.connect(SECOND);
    expect(await lapse(world, connected)).toBeLessThan(2_000);
    const { paths, warnings } = await connected;
    expect([paths.length, warnings]).toEqual([
      3,
      [
        `3 of 4 paths are open; ${sick.portal.address}:3260 over default: ` +
          'its session 1 is FAILED, it joins when that recovers',
      ],
    ]);
    await world.driver.settled();
    expect((await world.driver.find(SECOND))?.paths).toHaveLength(4);
  });

  test('connect() gives its path up in the background when it does not recover, and logs that', async () => {
    const world = openMultipathWorld({ login_timeout_seconds: 15 });
    await world.driver.connect(FOUR);
    world.target.units.set(2, OTHER_UNIT);
    world.host.kernel.setState(sessionAt(world, 0), 'FAILED');
    await world.driver.connect(SECOND);
    expect(await lapse(world, world.driver.settled())).toBeLessThan(16_000);
    expect(world.log.warnings.at(-1)).toMatchObject({
      message: 'A late path did not join its volume',
      fields: { reason: expect.stringContaining('did not recover in 15 s') as unknown },
    });
  });

  test('close() ends the wait for it', async () => {
    const world = openMultipathWorld({ login_timeout_seconds: 15 });
    await world.driver.connect(FOUR);
    world.host.kernel.setState(sessionAt(world, 0), 'FAILED');
    await world.driver.connect(FOUR);
    expect(await lapse(world, world.driver.close())).toBeLessThan(1_000);
  });

  test('connect() that is refused does not wait for it', async () => {
    const world = openMultipathWorld({ login_timeout_seconds: 15 });
    await world.driver.connect(FOUR);
    world.target.units.set(2, OTHER_UNIT);
    world.target.units.set(3, { wwid: `naa.6001405${'9'.repeat(25)}`, sizeBytes: 2 ** 30 });
    world.host.kernel.setState(sessionAt(world, 0), 'FAILED');
    const mixed = { ...infoFor(PORTALS, { volume_id: 'volume-8', target_luns: [2, 2, 3, 2] }), serial: 'volume-8' };
    const outcome = failure(world.driver.connect(mixed));
    expect(await lapse(world, outcome)).toBeLessThan(2_000);
    expect(await outcome).toMatchObject({ code: 'DEVICE_MISMATCH' });
  });

  test('connect() again does not ask its disk, and counts the path as missing', async () => {
    const world = openMultipathWorld({ login_timeout_seconds: 15 });
    await world.driver.connect(FOUR);
    const sick = sessionAt(world, 1);
    world.host.kernel.setState(sick, 'FAILED');
    world.host.kernel.block(/\/target2:.*\/rescan$/); // none is written
    const connected = world.driver.connect(FOUR);
    expect(await lapse(world, connected)).toBeLessThan(2_000);
    expect((await connected).warnings).toEqual([expect.stringMatching(/^3 of 4 paths are open; .* is FAILED/)]);
    expect((await connected).paths.map(({ portal: { address } }) => address)).not.toContain(sick.portal.address);
  });
});

describe('a session in recovery, and no other', () => {
  test('connect() waits for it, asks its disk who it is, and gives the volume', async () => {
    const world = openRecordedWorld({ login_timeout_seconds: 15 });
    addTarget(world, [TCP]);
    await world.driver.connect(INFO);
    const sick = sessionAt(world, 0);
    world.host.kernel.setState(sick, 'FAILED');
    later(world, 3_000, () => {
      world.host.kernel.setState(sick, 'LOGGED_IN');
    });
    world.host.targets[0]?.resize(1, 2 ** 31);
    expect((await world.driver.connect(INFO)).device.sizeBytes).toBe(2 ** 31);
    expect(world.clock.now()).toBeGreaterThanOrEqual(3_000);
  });

  test.each([
    ['over one path', {}],
    ['with a map', { volume_use_multipath: true }],
  ])('connect() fails after the login time, %s, and leaves the volume as it was', async (_how, config) => {
    const world = openMultipathWorld({ login_timeout_seconds: 15, volume_use_multipath: false, ...config });
    await world.driver.connect(FOUR);
    const before = await world.residue();
    for (const session of world.host.kernel.sessions) world.host.kernel.setState(session, 'FAILED');
    const outcome = failure(world.driver.connect(FOUR));
    expect(Math.round((await lapse(world, outcome)) / 1000)).toBe(15);
    expect((await outcome).code).toBe('PORTAL_UNREACHABLE');
    expect(await world.residue()).toEqual(before);
  });

  test('connect() with a map proves the volume over a further portal where no path there can be asked', async () => {
    const world = openMultipathWorld({ login_timeout_seconds: 15 });
    await world.driver.connect(infoFor(PORTALS.slice(0, 2)));
    for (const session of world.host.kernel.sessions) world.host.kernel.setState(session, 'FAILED');
    const connected = world.driver.connect(FOUR);
    expect(await lapse(world, connected)).toBeLessThan(2_000);
    expect(await connected).toMatchObject({ paths: { length: 2 }, device: { kind: 'multipath' } });
    await world.driver.settled();
  });

  test('connect() refuses a disk that is another volume once its session is up', async () => {
    const world = openMultipathWorld({ login_timeout_seconds: 15 });
    await world.driver.connect(FOUR);
    for (const session of world.host.kernel.sessions) world.host.kernel.setState(session, 'FAILED');
    world.target.units.set(1, OTHER_UNIT);
    later(world, 1_000, () => {
      for (const session of world.host.kernel.sessions) world.host.kernel.setState(session, 'LOGGED_IN');
    });
    expect(await failure(world.driver.connect(FOUR))).toMatchObject({ code: 'DEVICE_MISMATCH' });
  });
});

describe('a unit that was seen with a size of 0', () => {
  test('connect() asks it anew, and uses it once it has its size', async () => {
    const world = openRecordedWorld({ device_timeout_seconds: 10 });
    const target = addTarget(world, [TCP]);
    target.resize(1, 0);
    later(world, 3_000, () => {
      target.resize(1, 2 ** 30);
    });
    expect((await world.driver.connect(INFO)).device.sizeBytes).toBe(2 ** 30);
    target.resize(1, 0);
    await world.driver.disconnect(INFO);
    expect(await world.residue()).toEqual([]);
  });

  test('connect() fails with DEVICE_NOT_FOUND that names the size where it never has one', async () => {
    const world = openRecordedWorld({ device_timeout_seconds: 10 });
    addTarget(world, [TCP]).resize(1, 0);
    expect(await failure(world.driver.connect(INFO))).toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      message: expect.stringContaining('/dev/sda') as unknown,
      details: { device: '/dev/sda', sizeBytes: 0, lun: 1 },
    });
    expect(await world.residue()).toEqual([]);
  });
});
