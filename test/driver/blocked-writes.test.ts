import { describe, expect, test } from '@jest/globals';
import { failure, INFO as FOUR, MAP, openMultipathWorld } from './multipath-world.js';
import { addTarget, openRecordedWorld, type RecordedWorld } from './recorded-world.js';
import { INFO, TCP } from './regression-world.js';

const RESCAN = /\/rescan$/;

async function openConnected(): Promise<RecordedWorld> {
  const world = openRecordedWorld({ login_timeout_seconds: 15, device_timeout_seconds: 60 });
  addTarget(world, [TCP]);
  await world.driver.connect(INFO);
  return world;
}

async function seconds({ clock }: RecordedWorld, work: Promise<unknown>): Promise<number> {
  const began = clock.now();
  await work;
  return Math.round((clock.now() - began) / 1000);
}

/** Lets what was released run. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('a write to sysfs that blocks, over one path', () => {
  test('connect() fails with COMMAND_TIMED_OUT, file and limit when the rescan does not return', async () => {
    const world = await openConnected();
    world.host.kernel.block(RESCAN);
    const began = world.clock.now();
    expect(await failure(world.driver.connect(INFO))).toMatchObject({
      code: 'COMMAND_TIMED_OUT',
      message: expect.stringMatching(
        /^Cannot write to \/sys\/.*\/rescan: .* within 15 s, .* still going on$/,
      ) as unknown,
      details: { file: expect.stringMatching(/\/1:0:0:1\/rescan$/) as unknown, limitMs: 15_000 },
    });
    expect(Math.round(world.clock.now() - began)).toBe(15_000);
    expect(world.log.warnings).toContainEqual(
      expect.objectContaining({
        message: 'A write to the kernel is left to itself',
        fields: { file: expect.stringMatching(/\/rescan$/) as unknown, waitedMs: 15_000 },
      }),
    );
    expect((await world.driver.find(INFO))?.device.path).toBe('/dev/sda');
  });

  test('connect() begins no second write to a stuck attribute, and works once the first has ended', async () => {
    const world = await openConnected();
    const letOn = world.host.kernel.block(RESCAN);
    const { details } = await failure(world.driver.connect(INFO));
    const again = seconds(world, failure(world.driver.connect(INFO)));
    expect([await again, world.host.kernel.countLeft(String(details['file']))]).toEqual([0, 1]);
    letOn();
    await turn();
    expect((await world.driver.connect(INFO)).device.path).toBe('/dev/sda');
  });

  test('connect() whose scan does not return ends after 30 s, and is undone', async () => {
    const world = openRecordedWorld({ device_timeout_seconds: 60 });
    addTarget(world, [TCP]);
    const before = await world.residue();
    world.host.kernel.block(/\/scan$/);
    const outcome = failure(world.driver.connect(INFO));
    expect(await seconds(world, outcome)).toBe(30);
    expect(await outcome).toMatchObject({ code: 'COMMAND_TIMED_OUT', details: { limitMs: 30_000 } });
    expect(await world.residue()).toEqual(before);
  });

  test('connect() over one path at a time goes on to the next portal after a scan that does not return', async () => {
    const world = openMultipathWorld({ volume_use_multipath: false });
    world.host.kernel.block(/\/host1\/scan$/);
    expect((await world.driver.connect(FOUR)).paths).toMatchObject([{ portal: { address: '192.0.2.11' } }]);
  });

  test('disconnect() whose delete does not return tells what is left, and the same call ends it later', async () => {
    const world = await openConnected();
    const letOn = world.host.kernel.block(/\/delete$/);
    const outcome = failure(world.driver.disconnect(INFO));
    expect(await seconds(world, outcome)).toBe(40);
    expect(await outcome).toMatchObject({
      code: 'CLEANUP_INCOMPLETE',
      message: expect.stringContaining('1:0:0:1') as unknown,
      details: { file: expect.stringMatching(/\/delete$/) as unknown, limitMs: 40_000, device: '1:0:0:1' },
      cause: { code: 'COMMAND_TIMED_OUT' },
    });
    expect(await failure(world.driver.disconnect(INFO))).toMatchObject({ code: 'CLEANUP_INCOMPLETE' });
    letOn();
    await turn();
    expect(await world.driver.disconnect(INFO)).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test('disconnect() whose flush does not return ends with FLUSH_FAILED after 180 s', async () => {
    const world = await openConnected();
    world.host.kernel.block(/^\/dev\/sda$/);
    const outcome = failure(world.driver.disconnect(INFO));
    expect(await seconds(world, outcome)).toBe(180);
    expect(await outcome).toMatchObject({ code: 'FLUSH_FAILED', cause: { details: { file: '/dev/sda' } } });
  });

  test('disconnect() with a WWID takes a disk that does not answer for what the kernel knows of it', async () => {
    const world = await openConnected();
    world.host.kernel.block(RESCAN);
    const released = world.driver.disconnect(INFO, { wwid: MAP.wwid });
    expect(await seconds(world, released)).toBe(15);
    expect(await released).toMatchObject({ found: true });
  });

  test('connect() ends with ABORTED at once when the caller gives a blocked write up', async () => {
    const world = await openConnected();
    world.host.kernel.block(RESCAN);
    const caller = new AbortController();
    const outcome = failure(world.driver.connect(INFO, { signal: caller.signal }));
    void world.clock.sleep(3_000, caller.signal).then(() => {
      caller.abort();
    });
    expect(await seconds(world, outcome)).toBe(3);
    expect((await outcome).code).toBe('ABORTED');
    expect(world.log.warnings.at(-1)).toMatchObject({ fields: { waitedMs: 3_000 } });
  });
});

describe('a write to sysfs that blocks, on one path of four', () => {
  test('connect() comes without the path whose scan does not return, and says so', async () => {
    const world = openMultipathWorld();
    world.host.kernel.block(/\/host2\/scan$/);
    const connected = world.driver.connect(FOUR);
    expect(await seconds(world, connected)).toBeLessThanOrEqual(6);
    const { paths, warnings } = await connected;
    expect([paths.length, warnings]).toEqual([
      3,
      [expect.stringMatching(/^3 of 4 paths are open; 192\.0\.2\.1\d:3260/)],
    ]);
  });

  test('connect() again comes without the path whose rescan does not return, and says so', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(FOUR);
    const letOn = world.host.kernel.block(/\/target2:.*\/rescan$/);
    const connected = world.driver.connect(FOUR);
    expect(await seconds(world, connected)).toBeLessThanOrEqual(6);
    const { paths, warnings } = await connected;
    expect([paths.length, warnings]).toEqual([
      3,
      [expect.stringMatching(/^3 of 4 paths are open; 192\.0\.2\.1\d:3260 over default: .*within 5 s$/)],
    ]);
    expect(await seconds(world, world.driver.connect(FOUR))).toBe(0);
    letOn();
    await turn();
    expect((await world.driver.connect(FOUR)).paths).toHaveLength(4);
  });

  test('connect() that is left with one path warns when its replacement timeout cannot be written', async () => {
    const world = openMultipathWorld();
    world.host.kernel.multipathd.blacklistsAll = true;
    world.host.kernel.block(/\/recovery_tmo$/);
    const connected = world.driver.connect(FOUR);
    await connected;
    expect(world.log.warnings).toContainEqual(
      expect.objectContaining({ fields: expect.objectContaining({ waitedMs: 5_000 }) as unknown }),
    );
  });
});
