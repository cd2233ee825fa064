import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { DevicePath, MultipathMap, ScsiDisk } from '../../src/device/block-device.js';
import { type MeasuredPath, planExtend } from '../../src/volume/plan-extend.js';
import type { Session } from '../../src/initiator/session.js';
import { addTarget, dataChanged, infoFor, openRecordedWorld, type RecordedWorld, WWID } from './recorded-world.js';
import { commandsOf, failure, INFO as FOUR_PATHS, type MultipathWorld, openMultipathWorld } from './multipath-world.js';

const GIB = 2 ** 30;
const ONE_PATH = infoFor(['192.0.2.10:3260']);
const WEB1 = { kind: 'name', name: 'web1' } as const;
const VDB = { dev: 'vdb', bus: 'virtio' };

function openOnePath(): RecordedWorld {
  const world = openRecordedWorld();
  addTarget(world, [{ address: '192.0.2.10', port: 3260, serves: 'tcp' }]);
  world.libvirt.addDomain({ name: 'web1' });
  return world;
}

async function openFourPaths(): Promise<MultipathWorld> {
  const world = openMultipathWorld();
  world.libvirt.addDomain({ name: 'web1' });
  await world.driver.connect(FOUR_PATHS);
  return world;
}

function grow({ host }: RecordedWorld, sizeBytes: number): void {
  host.targets[0]?.resize(1, sizeBytes);
}

function setState({ host: { kernel } }: RecordedWorld, address: string, state: 'FAILED' | 'LOGGED_IN'): void {
  const session = kernel.sessions.find(({ portal }) => portal.address === address);
  if (session === undefined) throw new RangeError(`No session to ${address}`);
  kernel.setState(session, state);
}

/** The sizes of all disks and maps that sysfs shows, in bytes. */
function sizes({ host: { tree } }: RecordedWorld): Readonly<Record<string, number>> {
  return Object.fromEntries(
    tree
      .list('/sys/class/block')
      .map((name) => [name, Number(tree.read(`/sys/class/block/${name}/size`) ?? '0') * 512]),
  );
}

function membersOf({ host: { tree } }: RecordedWorld): readonly string[] {
  return [...tree.list('/sys/class/block/dm-0/slaves')].toSorted();
}

describe('extend() over one path', () => {
  test('extend() over one path gives both sizes as numbers, and starts no process (R91)', async () => {
    const world = openOnePath();
    await world.driver.connect(ONE_PATH);
    grow(world, 2 * GIB);
    const before = world.host.commands.length;
    expect(await world.driver.extend(ONE_PATH)).toMatchObject({
      device: { kind: 'disk', path: '/dev/sda', sizeBytes: 2 * GIB },
      oldSizeBytes: GIB,
      newSizeBytes: 2 * GIB,
      guestResized: false,
      warnings: [],
    });
    expect(world.host.commands.length).toBe(before);
  });

  test('extend() over one path waits for no map (R92)', async () => {
    const world = openOnePath();
    await world.driver.connect(ONE_PATH);
    grow(world, 2 * GIB);
    const began = world.clock.now();
    await world.driver.extend(ONE_PATH);
    expect(world.clock.now() - began).toBeLessThan(50);
  });

  test('extend() tells the running guest, by the disk that it has', async () => {
    const world = openOnePath();
    await world.driver.attach(WEB1, ONE_PATH, VDB);
    grow(world, 3 * GIB);
    expect(await world.driver.extend(ONE_PATH, { domain: WEB1 })).toMatchObject({
      newSizeBytes: 3 * GIB,
      guestResized: true,
      warnings: [],
    });
    expect(world.libvirt.sizeOf('web1', 'vdb')).toBe(3 * GIB);
  });

  test('extend() brings a lagging guest to the size of a volume that had grown before', async () => {
    const world = openOnePath();
    await world.driver.attach(WEB1, ONE_PATH, VDB);
    grow(world, 2 * GIB);
    await world.driver.extend(ONE_PATH);
    expect(world.libvirt.sizeOf('web1', 'vdb')).toBeUndefined();
    expect(await world.driver.extend(ONE_PATH, { domain: WEB1 })).toMatchObject({
      oldSizeBytes: 2 * GIB,
      newSizeBytes: 2 * GIB,
      guestResized: true,
    });
    expect(world.libvirt.sizeOf('web1', 'vdb')).toBe(2 * GIB);
  });

  test('extend() leaves a guest that is shut off to its next start', async () => {
    const world = openOnePath();
    await world.driver.connect(ONE_PATH);
    world.libvirt.addDomain({ name: 'asleep', active: false });
    grow(world, 2 * GIB);
    expect(await world.driver.extend(ONE_PATH, { domain: { kind: 'name', name: 'asleep' } })).toMatchObject({
      newSizeBytes: 2 * GIB,
      guestResized: false,
      warnings: [],
    });
  });

  test('extend() reports a running guest that does not have the volume', async () => {
    const world = openOnePath();
    await world.driver.connect(ONE_PATH);
    expect(await world.driver.extend(ONE_PATH, { domain: WEB1 })).toMatchObject({
      guestResized: false,
      warnings: ['the guest does not have the volume'],
    });
  });

  test('extend() of an unknown guest touches nothing', async () => {
    const world = openOnePath();
    await world.driver.connect(ONE_PATH);
    grow(world, 2 * GIB);
    await expect(world.driver.extend(ONE_PATH, { domain: { kind: 'name', name: 'nobody' } })).rejects.toMatchObject({
      code: 'DOMAIN_NOT_FOUND',
    });
    expect(sizes(world)).toEqual({ sda: GIB });
  });

  test('extend() of an encrypted volume tells no guest the size of the device (R96)', async () => {
    const world = openOnePath();
    await world.driver.connect(ONE_PATH);
    const encrypted = dataChanged(ONE_PATH, { encrypted: true });
    await expect(world.driver.extend(encrypted, { domain: WEB1 })).rejects.toMatchObject({
      code: 'CONNECTION_INFO_INVALID',
      details: { key: 'data.encrypted' },
    });
    expect(await world.driver.extend(encrypted)).toMatchObject({ guestResized: false });
  });

  test('extend() of a shrunk volume names both sizes and tells the guest nothing', async () => {
    const world = openOnePath();
    await world.driver.attach(WEB1, ONE_PATH, VDB);
    grow(world, GIB / 2);
    const error = await failure(world.driver.extend(ONE_PATH, { domain: WEB1 }));
    expect(error).toMatchObject({
      code: 'RESIZE_FAILED',
      message: `Cannot extend the volume: it has shrunk: it had ${GIB} bytes and has ${GIB / 2} now`,
      details: { oldSizeBytes: GIB, newSizeBytes: GIB / 2 },
    });
    expect(world.libvirt.sizeOf('web1', 'vdb')).toBeUndefined();
  });

  test('extend() of a LUN that the storage gave to another volume is refused', async () => {
    const world = openOnePath();
    await world.driver.connect(ONE_PATH);
    world.host.targets[0]?.units.set(1, { wwid: WWID.replace('7', '8'), sizeBytes: 2 * GIB });
    await expect(world.driver.extend(ONE_PATH)).rejects.toMatchObject({ code: 'DEVICE_MISMATCH' });
  });

  test('extend() of a volume whose only path is down is refused, and does not query the path', async () => {
    const world = openOnePath();
    await world.driver.connect(ONE_PATH);
    setState(world, '192.0.2.10', 'FAILED');
    grow(world, 2 * GIB);
    await expect(world.driver.extend(ONE_PATH)).rejects.toMatchObject({
      code: 'RESIZE_FAILED',
      message: expect.stringContaining('none of its 1 paths answers') as unknown,
    });
    expect(world.deeds.filter((deed) => deed.startsWith('show'))).toEqual(['show sda']);
  });

  test('extend() emits an event with both sizes as numbers', async () => {
    const world = openOnePath();
    await world.driver.connect(ONE_PATH);
    grow(world, 2 * GIB);
    await world.driver.extend(ONE_PATH);
    expect(world.told.at(-1)).toEqual({
      kind: 'volume-extended',
      wwid: `3${WWID.slice(4)}`,
      device: '/dev/sda',
      oldSizeBytes: 1_073_741_824,
      newSizeBytes: 2_147_483_648,
      guestResized: false,
      durationMs: expect.any(Number),
    });
  });
});

describe('extend() over four paths', () => {
  test('extend() shows the new size on all four paths and the map, with one process (R90, W-22)', async () => {
    const world = await openFourPaths();
    grow(world, 2 * GIB);
    const before = world.host.commands.length;
    expect(await world.driver.extend(FOUR_PATHS)).toMatchObject({
      device: { kind: 'multipath', path: '/dev/dm-0', sizeBytes: 2 * GIB },
      oldSizeBytes: GIB,
      newSizeBytes: 2 * GIB,
      warnings: [],
    });
    expect(sizes(world)).toEqual({ sda: 2 * GIB, sdb: 2 * GIB, sdc: 2 * GIB, sdd: 2 * GIB, 'dm-0': 2 * GIB });
    expect(commandsOf(world).slice(before)).toEqual(['multipathd resize map mpatha']);
  });

  test('extend() of a volume known by one portal rescans its other paths too (W-22)', async () => {
    const world = await openFourPaths();
    grow(world, 2 * GIB);
    await world.driver.extend(ONE_PATH);
    expect(new Set(Object.values(sizes(world)))).toEqual(new Set([2 * GIB]));
  });

  test('extend() names the map as multipathd does, not by its WWID (R94)', async () => {
    const world = await openFourPaths();
    grow(world, 2 * GIB);
    await world.driver.extend(FOUR_PATHS);
    expect(commandsOf(world).at(-1)).toBe('multipathd resize map mpatha');
  });

  test('extend() called twice asks multipathd once', async () => {
    const world = await openFourPaths();
    grow(world, 2 * GIB);
    await world.driver.extend(FOUR_PATHS);
    const before = world.host.commands.length;
    expect(await world.driver.extend(FOUR_PATHS)).toMatchObject({ oldSizeBytes: 2 * GIB, newSizeBytes: 2 * GIB });
    expect(world.host.commands.length).toBe(before);
  });

  test.each(['timeout', 'ok'] as const)('extend() asks again after "%s" that changed nothing (R93)', async (answer) => {
    const world = await openFourPaths();
    world.host.kernel.multipathd.resizeAnswers.push(answer, answer, answer);
    grow(world, 2 * GIB);
    expect(await world.driver.extend(FOUR_PATHS)).toMatchObject({ device: { sizeBytes: 2 * GIB } });
    expect(commandsOf(world).filter((command) => command.includes('resize'))).toHaveLength(4);
  });

  test('extend() gives up after two minutes of "timeout" (R93)', async () => {
    const world = await openFourPaths();
    world.host.kernel.multipathd.resizeAnswers.push(...Array.from({ length: 50 }, () => 'timeout' as const));
    grow(world, 2 * GIB);
    const began = world.clock.now();
    await expect(world.driver.extend(FOUR_PATHS)).rejects.toMatchObject({ code: 'RESIZE_FAILED' });
    expect(world.clock.now() - began).toBeGreaterThanOrEqual(120_000);
    expect(world.clock.now() - began).toBeLessThan(125_000);
  });

  test('extend() succeeds where multipathd says "fail" twice, as while it takes in another path', async () => {
    const world = await openFourPaths();
    world.host.kernel.multipathd.resizeAnswers.push('fail', 'fail');
    grow(world, 2 * GIB);
    expect(await world.driver.extend(FOUR_PATHS)).toMatchObject({ newSizeBytes: 2 * GIB });
  });

  test('extend() fails on "fail" with status 0, in multipathd\'s words, and may be repeated (R93)', async () => {
    const world = await openFourPaths();
    world.host.kernel.multipathd.resizeAnswers.push('fail', 'fail', 'fail');
    grow(world, 2 * GIB);
    const error = await failure(world.driver.extend(FOUR_PATHS, { domain: WEB1 }));
    expect(error).toMatchObject({
      code: 'RESIZE_FAILED',
      details: { map: 'mpatha', oldSizeBytes: GIB, newSizeBytes: 2 * GIB },
    });
    expect(error.message).toMatch(/its paths have 2147483648 bytes and it has 1073741824; multipathd says "fail"/);
    expect(await world.driver.extend(FOUR_PATHS)).toMatchObject({ oldSizeBytes: GIB, newSizeBytes: 2 * GIB });
  });

  test('extend() of a map without multipathd fails, and the error names multipathd', async () => {
    const world = await openFourPaths();
    world.host.kernel.multipathd.stop();
    grow(world, 2 * GIB);
    await expect(world.driver.extend(FOUR_PATHS)).rejects.toMatchObject({
      code: 'RESIZE_FAILED',
      message: expect.stringContaining('Connection refused') as unknown,
    });
  });

  test('extend() tells the guest that has the map', async () => {
    const world = openMultipathWorld();
    world.libvirt.addDomain({ name: 'web1' });
    await world.driver.attach(WEB1, FOUR_PATHS, VDB);
    grow(world, 2 * GIB);
    expect(await world.driver.extend(FOUR_PATHS, { domain: WEB1 })).toMatchObject({ guestResized: true });
    expect(world.libvirt.sizeOf('web1', 'vdb')).toBe(2 * GIB);
  });

  test('extend() of a shrunk volume leaves the map as it is', async () => {
    const world = await openFourPaths();
    grow(world, GIB / 2);
    await expect(world.driver.extend(FOUR_PATHS)).rejects.toMatchObject({ code: 'RESIZE_FAILED' });
    expect({
      map: sizes(world)['dm-0'],
      asked: commandsOf(world).some((command) => command.includes('resize')),
    }).toEqual({ map: GIB, asked: false });
  });
});

describe('extend() with a path down', () => {
  test.each([false, true])(
    'extend() with a path down grows the others, and connect() restores it (R95, multipathd misses: %s)',
    async (missed) => {
      const world = await openFourPaths();
      world.host.kernel.multipathd.missesRemovals = missed;
      setState(world, '192.0.2.12', 'FAILED');
      grow(world, 2 * GIB);
      const { device, warnings } = await world.driver.extend(FOUR_PATHS);
      expect(device).toMatchObject({ sizeBytes: 2 * GIB, members: { length: 3 } });
      expect(warnings).toEqual([
        '192.0.2.12:3260 over default: /dev/sdc is down and left the map, which is larger now; connect the volume ' +
          'again once the portal is back',
      ]);
      expect(sizes(world)).toEqual({ sda: 2 * GIB, sdb: 2 * GIB, sdd: 2 * GIB, 'dm-0': 2 * GIB });
      setState(world, '192.0.2.12', 'LOGGED_IN');
      expect(await world.driver.connect(FOUR_PATHS)).toMatchObject({ paths: { length: 4 }, warnings: [] });
      expect({ members: membersOf(world).length, back: sizes(world)['sdc'] }).toEqual({ members: 4, back: 2 * GIB });
    },
  );

  test('extend() of a volume that has not grown keeps a path that is down in the map (R95)', async () => {
    const world = await openFourPaths();
    setState(world, '192.0.2.12', 'FAILED');
    expect(await world.driver.extend(FOUR_PATHS)).toMatchObject({
      newSizeBytes: GIB,
      warnings: ['192.0.2.12:3260 over default: /dev/sdc is down and keeps its old size until its session is back'],
    });
    expect(membersOf(world)).toEqual(['sda', 'sdb', 'sdc', 'sdd']);
  });

  test('extend() with every path down changes nothing (R95)', async () => {
    const world = await openFourPaths();
    for (const session of world.host.kernel.sessions) world.host.kernel.setState(session, 'FAILED');
    grow(world, 2 * GIB);
    await expect(world.driver.extend(FOUR_PATHS)).rejects.toMatchObject({ code: 'RESIZE_FAILED' });
    expect({ members: membersOf(world), map: sizes(world)['dm-0'] }).toEqual({
      members: ['sda', 'sdb', 'sdc', 'sdd'],
      map: GIB,
    });
  });

  test('extend() gives up on a path that does not answer though its session is logged in', async () => {
    const world = await openFourPaths();
    world.host.kernel.block(/\/target3:0:0\/.*\/rescan$/);
    grow(world, 2 * GIB);
    const began = world.clock.now();
    const { device, warnings } = await world.driver.extend(FOUR_PATHS);
    expect({
      sizeBytes: device.sizeBytes,
      warnings: warnings.length,
      seconds: Math.round((world.clock.now() - began) / 1000),
    }).toEqual({ sizeBytes: 2 * GIB, warnings: 1, seconds: 15 });
  });

  test('extend() waits for a controller that grows later, and refuses one that never does', async () => {
    const world = await openFourPaths();
    const write = world.host.writeAttribute.bind(world.host);
    let shows = 2;
    world.host.writeAttribute = async (path, text, signal) => {
      if (path.includes('/target3:0:0/') && path.endsWith('/rescan') && shows-- > 0) return;
      await write(path, text, signal);
    };
    grow(world, 2 * GIB);
    expect(await world.driver.extend(FOUR_PATHS)).toMatchObject({
      device: { sizeBytes: 2 * GIB, members: { length: 4 } },
      warnings: [],
    });
    shows = Infinity;
    grow(world, 3 * GIB);
    await expect(world.driver.extend(FOUR_PATHS)).rejects.toMatchObject({
      code: 'RESIZE_FAILED',
      message: expect.stringContaining(`/dev/sdc ${2 * GIB} bytes`) as unknown,
    });
    expect({ members: membersOf(world).length, map: sizes(world)['dm-0'] }).toEqual({ members: 4, map: 2 * GIB });
  });
});

describe('planExtend()', () => {
  const path = (index: number, isUp: boolean, sizeBytes: number): MeasuredPath => ({
    session: {} as Session,
    disk: { path: `/dev/sd${index}` as DevicePath, sizeBytes } as ScsiDisk,
    isUp,
  });
  const mapOf = (paths: readonly MeasuredPath[], sizeBytes: number): MultipathMap =>
    ({
      kind: 'multipath',
      path: '/dev/dm-0' as DevicePath,
      name: 'mpatha',
      sizeBytes,
      members: paths.map(({ disk }) => disk),
    }) as unknown as MultipathMap;

  test('planExtend() drops only paths that are down and of the old size, and never shrinks the map', () => {
    const paths = fc
      .array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 6 })
      .map((list) => list.map(([isUp, size], index) => path(index, isUp, size)));
    fc.assert(
      fc.property(paths, fc.integer({ min: 1, max: 4 }), (measured, old) => {
        const map = mapOf(measured, old);
        const shown = [...new Set(measured.filter(({ isUp }) => isUp).map(({ disk }) => disk.sizeBytes))];
        const [now] = shown;
        if (now === undefined || shown.length > 1 || now < old) {
          expect(() => planExtend(measured, map, old)).toThrow(expect.objectContaining({ code: 'RESIZE_FAILED' }));
          return;
        }
        const { leaving, resize, sizeBytes } = planExtend(measured, map, old);
        expect({ sizeBytes, resized: resize !== undefined }).toEqual({ sizeBytes: now, resized: now > old });
        expect(leaving).toEqual(now > old ? measured.filter(({ disk }) => disk.sizeBytes !== now) : []);
        expect(leaving.some(({ isUp }) => isUp)).toBe(false);
      }),
    );
  });

  test('planExtend() refuses when the map has none of the paths that are up', () => {
    const [down, up] = [path(0, false, 1), path(1, true, 2)];
    expect(() => planExtend([down, up], mapOf([down], 1), 1)).toThrow('none of the paths of its map mpatha is up');
  });
});
