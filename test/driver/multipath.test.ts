import { describe, expect, test } from '@jest/globals';
import { VolumeError } from '../../src/base/volume-error.js';
import {
  ADDRESSES,
  commandsOf,
  failure,
  INFO,
  MAP,
  MULTIPATH,
  openMultipathWorld,
  portalsOf,
  PORTALS,
} from './multipath-world.js';
import { addTarget, dataChanged, infoFor, IQN, openRecordedWorld, type RecordedWorld } from './recorded-world.js';
import { ROOT } from '../fakes/fake-release.js';
import { FakeTarget } from '../fakes/fake-target.js';

describe('connect() with volume_use_multipath', () => {
  test('connect() with volume_use_multipath logs in to every portal by one iscsiadm and gives the map', async () => {
    const world = openMultipathWorld();
    const { device, paths, transport, warnings } = await world.driver.connect(INFO);
    expect(device).toMatchObject({ ...MAP, sizeBytes: 2 ** 30 });
    expect(device.kind === 'multipath' ? device.members.map(({ path }) => path) : []).toEqual([
      '/dev/sda',
      '/dev/sdb',
      '/dev/sdc',
      '/dev/sdd',
    ]);
    expect(paths.map(({ disk, portal }) => `${disk} ${portal.address}`).toSorted()).toEqual(
      ADDRESSES.map((address, index) => `/dev/sd${'abcd'[index] ?? ''} ${address}`),
    );
    expect({ transport, warnings }).toEqual({
      transport: { requested: 'default', used: 'default', fallback: undefined },
      warnings: [],
    });
    expect(commandsOf(world)).toEqual([
      `iscsiadm -m node -T ${IQN} -I default --login`,
      `multipath -a ${MAP.wwid}`,
      'multipathd add path sda',
    ]);
  });

  test('connect() twice gives the same map and starts nothing', async () => {
    const world = openMultipathWorld();
    const first = await world.driver.connect(INFO);
    const before = world.host.commands.length;
    const second = await world.driver.connect(INFO);
    expect({
      device: second.device,
      paths: second.paths.length,
      commands: world.host.commands.length - before,
    }).toEqual({ device: first.device, paths: 4, commands: 0 });
  });

  test('connect() of one portal gives a map of one path', async () => {
    const world = openMultipathWorld();
    const { device, paths } = await world.driver.connect(infoFor(PORTALS.slice(0, 1)));
    expect({ device, paths: paths.length }).toMatchObject({ device: MAP, paths: 1 });
  });

  test('connect() reminds a multipathd that misses the disks', async () => {
    const world = openMultipathWorld();
    world.host.kernel.multipathd.isDeaf = true;
    const { device } = await world.driver.connect(INFO);
    expect(device.kind === 'multipath' ? device.members.length : 0).toBe(4);
  });

  test('connect() keeps an existing entry of the wwids file, and disconnect() does not remove it', async () => {
    const world = openMultipathWorld();
    world.host.tree.write('/etc/multipath/wwids', `# Multipath wwids\n/${MAP.wwid}/\n`);
    await world.driver.connect(INFO);
    await world.driver.disconnect(INFO);
    expect(commandsOf(world).filter((line) => /multipath -[aw]/.test(line))).toEqual([]);
    expect(await world.residue()).toEqual([`wwid /${MAP.wwid}/`]);
  });

  test("connect() logs in to each portal separately where the target has an administrator's record", async () => {
    const world = openMultipathWorld();
    const foreign = `${ROOT}/nodes/${IQN}/192.0.2.99,3260,1/default`;
    world.host.tree.write(foreign, `node.name = ${IQN}\niface.iscsi_ifacename = default\n`);
    await world.driver.connect(INFO);
    expect(commandsOf(world).filter((line) => line.includes('--login'))).toEqual(
      PORTALS.map((portal) => `iscsiadm -m node -T ${IQN} -p ${portal} -I default --login`),
    );
    await world.driver.disconnect(INFO);
    expect(await world.residue()).toEqual([foreign]);
  });

  test('connect() gives the remaining paths where a portal refuses, and names the portal', async () => {
    const [world, info] = [openMultipathWorld(), infoFor([...PORTALS.slice(0, 3), '192.0.2.77:3260'])];
    // which does not have the target
    world.host.targets.push(new FakeTarget({ iqn: `${IQN}.of-another`, portals: portalsOf('tcp', ['192.0.2.77']) }));
    const { paths, warnings } = await world.driver.connect(info);
    expect(paths).toHaveLength(3);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^3 of 4 paths are open; 192\.0\.2\.77:3260 over default: Cannot log in .*non-retryable iSCSI login failure/,
      ),
    ]);
    await world.driver.disconnect(info);
    expect(await world.residue()).toEqual([]);
  });

  test('connect() over portals none of which answers rejects and leaves nothing', async () => {
    const world = openMultipathWorld();
    expect(await failure(world.driver.connect(infoFor(['192.0.2.77:3260', '192.0.2.78:3260'])))).toMatchObject({
      code: 'PORTAL_UNREACHABLE',
    });
    expect(await world.residue()).toEqual([]);
  });

  test('connect() with a wrong password is LOGIN_AUTH_FAILED after one login, though a portal is dead', async () => {
    const world = openRecordedWorld(MULTIPATH);
    world.host.kernel.multipathd.start();
    addTarget(world, portalsOf(), { username: 'u', password: 'right' });
    const info = infoFor(['192.0.2.77:3260', ...PORTALS], {
      auth_method: 'CHAP',
      auth_username: 'u',
      auth_password: 'wrong-wrong',
    });
    expect(await failure(world.driver.connect(info))).toMatchObject({ code: 'LOGIN_AUTH_FAILED' });
    expect(commandsOf(world)).toHaveLength(1);
    expect(await world.residue()).toEqual([]);
  });

  test('connect() whose paths lead to different volumes rejects with DEVICE_MISMATCH and leaves nothing', async () => {
    const world = openMultipathWorld();
    world.target.units.set(2, { wwid: `naa.6001405${'8'.repeat(25)}`, sizeBytes: 2 ** 30 });
    expect(await failure(world.driver.connect(dataChanged(INFO, { target_luns: [1, 1, 2, 1] })))).toMatchObject({
      code: 'DEVICE_MISMATCH',
    });
    expect(await world.residue()).toEqual([]);
  });

  test('connect() of a unit that reports no WWID keeps to one path, with a warning', async () => {
    const world = openMultipathWorld();
    world.target.units.set(1, { wwid: '', sizeBytes: 2 ** 30 });
    const { device, paths, warnings } = await world.driver.connect(INFO);
    expect({ device: device.path, paths: paths.length, warnings }).toEqual({
      device: paths[0].disk,
      paths: 1,
      warnings: [expect.stringContaining('reports no WWID'), expect.stringContaining('one path only')],
    });
    expect(world.host.kernel.sessions).toHaveLength(1);
    await world.driver.disconnect(INFO);
    expect(await world.residue()).toEqual([]);
  });

  test('connect() of a map leaves nothing, at whichever step it is aborted', async () => {
    const world = openMultipathWorld();
    for (const uses of [0, 3, 10, 20, 40, 60, 80, 100, 120, 150, 180, 210, 240, 280, 320, 400]) {
      const outcome = await world.driver.connect(INFO, { signal: abortingAfter(world, uses) }).then(
        () => 'connected' as const,
        (error: unknown) => error,
      );
      if (outcome === 'connected') await world.driver.disconnect(INFO);
      else expect(outcome).toMatchObject({ code: 'ABORTED' });
      expect({ uses, residue: await world.residue() }).toEqual({ uses, residue: [] });
    }
  });
});

/** Aborts at a chosen use of the kernel's or the database's files. */
function abortingAfter({ host }: RecordedWorld, uses: number): AbortSignal {
  const controller = new AbortController();
  let left = uses;
  const { readText } = Object.getPrototypeOf(host) as {
    readonly readText: (path: string) => Promise<string | undefined>;
  };
  host.readText = async (path) => {
    left -= 1;
    if (left === 0) controller.abort(new VolumeError('ABORTED', 'Stopped by the test'));
    return await readText.call(host, path);
  };
  if (uses === 0) controller.abort(new VolumeError('ABORTED', 'Stopped by the test'));
  return controller.signal;
}

describe('connect() without a map', () => {
  test('connect() without multipathd is refused before anything is done where a map is enforced', async () => {
    const world = openMultipathWorld({ volume_enforce_multipath: true });
    world.host.kernel.multipathd.stop();
    expect(await failure(world.driver.connect(INFO))).toMatchObject({
      code: 'MULTIPATH_UNAVAILABLE',
      hint: 'systemctl start multipathd',
    });
    expect(commandsOf(world)).toEqual([]);
  });

  test('connect() without a map is refused where the storage service enforces one', async () => {
    const world = openMultipathWorld();
    world.host.kernel.multipathd.stop();
    expect(await failure(world.driver.connect(dataChanged(INFO, { enforce_multipath: true })))).toMatchObject({
      code: 'MULTIPATH_UNAVAILABLE',
    });
  });

  test('connect() without multipathd uses one path, with a warning', async () => {
    const world = openMultipathWorld();
    world.host.kernel.multipathd.stop();
    const { device, paths, warnings } = await world.driver.connect(INFO);
    expect({ device: device.path, paths: paths.length, warnings }).toEqual({
      device: '/dev/sda',
      paths: 1,
      warnings: [expect.stringContaining('multipathd does not run')],
    });
    expect(world.host.kernel.sessions).toHaveLength(1);
  });

  test('connect() is refused and undone where multipathd makes no map and one is enforced', async () => {
    const world = openMultipathWorld({ volume_enforce_multipath: true });
    world.host.kernel.multipathd.blacklistsAll = true;
    expect(await failure(world.driver.connect(INFO))).toMatchObject({ code: 'MULTIPATH_UNAVAILABLE' });
    expect(await world.residue()).toEqual([]);
  });

  test.each([
    ['as soon as udev has named it', 3_000, 3_500],
    ['though udev never does, in the end', Infinity, 15_500],
  ])('connect() reminds multipathd of a disk that it missed %s, and not before', async (_what, namedAt, askedBy) => {
    const world = openMultipathWorld({ device_timeout_seconds: 60 });
    const { host, clock } = world;
    host.kernel.multipathd.isDeaf = true;
    host.tree.directory('/run/udev/data');
    const run = host.run.bind(host);
    const askedAt: number[] = [];
    host.run = async (command, signal) => {
      if (command.program === 'multipathd' && command.args[0] === 'add') askedAt.push(clock.now());
      return await run(command, signal);
    };
    const kind = host.kind.bind(host);
    host.kind = async (path) => {
      if (path.startsWith('/run/udev/data/b') && clock.now() >= namedAt) host.tree.write(path, 'I:1\n');
      return await kind(path);
    };
    expect((await world.driver.connect(INFO)).device.kind).toBe('multipath');
    expect(askedAt[0]).toBeGreaterThanOrEqual(Math.min(namedAt, 15_000));
    expect(askedAt[0]).toBeLessThanOrEqual(askedBy + 100);
  });

  test('connect() keeps one path where multipathd makes no map, and undoes the others', async () => {
    const world = openMultipathWorld();
    world.host.kernel.multipathd.blacklistsAll = true;
    const { device, warnings } = await world.driver.connect(INFO);
    expect({ kind: device.kind, sessions: world.host.kernel.sessions.length, warnings }).toEqual({
      kind: 'disk',
      sessions: 1,
      warnings: [expect.stringContaining('multipathd made no map')],
    });
    await world.driver.disconnect(INFO);
    expect(await world.residue()).toEqual([]);
  });
});

describe('disconnect() of a map', () => {
  test('disconnect() flushes and removes a map, then its disks, and ends all sessions by one iscsiadm', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(INFO);
    world.deeds.splice(0);
    const before = world.host.commands.length;
    expect(await world.driver.disconnect(INFO)).toEqual({ found: true, warnings: [] });
    expect(world.deeds.slice(0, 2)).toEqual(['sync /dev/dm-0', 'remove mpatha']);
    expect(world.deeds.slice(2, 6).toSorted()).toEqual(['delete sda', 'delete sdb', 'delete sdc', 'delete sdd']);
    expect(commandsOf(world).slice(before)).toEqual([
      'multipathd del map mpatha',
      'multipathd show paths raw format %d',
      `multipath -w ${MAP.wwid}`,
      `iscsiadm -m node -T ${IQN} -I default --logout`,
    ]);
    expect(await world.residue()).toEqual([]);
  });

  test('disconnect() of a map that a process has open rejects with DEVICE_IN_USE and keeps all of it', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(INFO);
    const letGo = world.host.open('/dev/dm-0', { pid: 7, name: 'qemu-system-x86' });
    expect(await failure(world.driver.disconnect(INFO, { force: true }))).toMatchObject({
      code: 'DEVICE_IN_USE',
      message: 'Cannot remove /dev/dm-0: qemu-system-x86 (pid 7) has it open',
    });
    letGo();
    const letDiskGo = world.host.open('/dev/sdb', { pid: 8, name: 'dd' });
    expect(await failure(world.driver.disconnect(INFO))).toMatchObject({ code: 'DEVICE_IN_USE' });
    letDiskGo();
    expect((await world.driver.find(INFO))?.paths).toHaveLength(4);
  });

  test('disconnect() of a map whose sessions are all dead stops its queueing first, so nothing hangs', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(INFO);
    for (const session of world.host.kernel.sessions) world.host.kernel.setState(session, 'FAILED');
    world.deeds.splice(0);
    await world.driver.disconnect(INFO);
    expect(world.deeds.slice(0, 3)).toEqual(['stop queueing mpatha', 'sync /dev/dm-0', 'remove mpatha']);
  });

  test.each([
    ['once it has told the checkers of dead paths', ['timeout', 'timeout'], 'stop queueing mpatha'],
    ['never, so that device-mapper is told itself', Array<'timeout'>(60).fill('timeout'), 'fail if no path mpatha'],
    ['with a refusal, so that device-mapper is told itself', ['fail'], 'fail if no path mpatha'],
  ] as const)(
    'disconnect() of a dead map stops its queueing, which multipathd does %s (W-30)',
    async (_when, answers, deed) => {
      const world = openMultipathWorld();
      await world.driver.connect(INFO);
      for (const session of world.host.kernel.sessions) world.host.kernel.setState(session, 'FAILED');
      world.deeds.splice(0);
      world.host.kernel.multipathd.queueingAnswers.push(...answers);
      await world.driver.disconnect(INFO);
      expect(world.deeds.slice(0, 3)).toEqual([deed, 'sync /dev/dm-0', 'remove mpatha']);
      expect(await world.residue()).toEqual([]);
    },
  );

  test('disconnect() with force removes a busy map after its disks, once its users have released it', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(INFO);
    const run = world.host.run.bind(world.host);
    world.host.run = async (command, signal) => {
      const isHeld =
        command.program === 'multipath' && command.args[0] === '-f' && world.host.tree.kind('/dev/sda') !== undefined;
      return isHeld ? { exitCode: 1, stdout: '', stderr: 'mpatha: map in use\n' } : await run(command, signal);
    };
    expect(await world.driver.disconnect(INFO, { force: true })).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test('disconnect() of an unflushable map stops before anything is lost; with force it goes on', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(INFO);
    world.host.kernel.unflushable.add('/dev/dm-0');
    expect(await failure(world.driver.disconnect(INFO))).toMatchObject({ code: 'FLUSH_FAILED' });
    expect((await world.driver.find(INFO))?.paths).toHaveLength(4);
    expect(await failure(world.driver.disconnect(INFO, { force: true }))).toMatchObject({ code: 'CLEANUP_INCOMPLETE' });
    expect(await world.residue()).toEqual([]);
  });

  test('disconnect() removes paths of the map that the connection does not list', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(INFO);
    await world.driver.disconnect(infoFor(PORTALS.slice(1, 2)));
    expect(await world.residue()).toEqual([]);
  });

  test('disconnect() removes a map also under a configuration of one path and another iface', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(INFO);
    const later = openRecordedWorld({ iscsi_iface: 'iser', iscsi_iface_fallback: 'none' }, world);
    expect(await later.driver.disconnect(INFO)).toMatchObject({ found: true });
    expect(await world.residue()).toEqual([]);
  });

  test('disconnect() of a map keeps the sessions that carry another volume', async () => {
    const world = openMultipathWorld();
    world.target.units.set(2, { wwid: `naa.6001405${'8'.repeat(25)}`, sizeBytes: 2 ** 30 });
    const other = dataChanged(INFO, { target_luns: [2, 2, 2, 2], volume_id: 'volume-8' });
    await world.driver.connect(INFO);
    const before = await world.driver.connect(other);
    await world.driver.disconnect(INFO);
    expect(await world.driver.find(other)).toMatchObject({ device: before.device, paths: before.paths });
    await world.driver.disconnect(other);
    expect(await world.residue()).toEqual([]);
  });
});

test('disconnect() of one path removes a map that multipathd has made of its disk meanwhile', async () => {
  const world = openRecordedWorld();
  addTarget(world, portalsOf());
  await world.driver.connect(INFO);
  const { multipathd } = world.host.kernel;
  const usersOf = world.host.usersOf.bind(world.host);
  world.host.usersOf = async (...asked) => {
    // between the look and the question
    if (multipathd.mapOf('sda') === undefined) {
      multipathd.findMultipaths = 'no';
      multipathd.start();
      multipathd.appeared('sda');
    }
    return await usersOf(...asked);
  };
  expect(await world.driver.disconnect(INFO)).toMatchObject({ found: true });
  expect(await world.residue()).toEqual([]);
});

describe('connect() of a map that is there', () => {
  test('connect() adds missing paths to an existing map', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(infoFor(PORTALS.slice(0, 2)));
    const { device, paths } = await world.driver.connect(INFO);
    expect({ paths: paths.length, members: device.kind === 'multipath' ? device.members.length : 0 }).toEqual({
      paths: 4,
      members: 4,
    });
  });

  test('connect() keeps an existing map where a missing portal is dead, with a warning', async () => {
    const world = openMultipathWorld();
    const first = await world.driver.connect(infoFor(PORTALS.slice(0, 2)));
    const { device, paths, warnings } = await world.driver.connect(
      infoFor([...PORTALS.slice(0, 2), '192.0.2.77:3260']),
    );
    expect({ device, paths: paths.length, warnings }).toEqual({
      device: first.device,
      paths: 2,
      warnings: [expect.stringContaining('2 of 3 paths are open')],
    });
  });

  test('connect() replaces an unused map under which the array put another volume', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(INFO);
    world.target.units.set(1, { wwid: `naa.6001405${'9'.repeat(25)}`, sizeBytes: 2 ** 30 });
    const { device, paths } = await world.driver.connect(INFO);
    expect({ wwid: device.wwid, paths: paths.length }).toEqual({ wwid: `36001405${'9'.repeat(25)}`, paths: 4 });
  });

  test('connect() rejects with DEVICE_MISMATCH where a guest uses the map of a remapped LUN', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(INFO);
    world.host.open('/dev/dm-0', { pid: 7, name: 'qemu-system-x86' });
    world.target.units.set(1, { wwid: `naa.6001405${'9'.repeat(25)}`, sizeBytes: 2 ** 30 });
    expect(await failure(world.driver.connect(INFO))).toMatchObject({ code: 'DEVICE_MISMATCH' });
  });
});
