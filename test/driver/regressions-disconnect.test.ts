import { describe, expect, test } from '@jest/globals';
import { FakeTarget } from '../fakes/fake-target.js';
import { commandsOf, failure, openMultipathWorld, PORTALS } from './multipath-world.js';
import { addTarget, dataChanged, infoFor, IQN, openRecordedWorld, type RecordedWorld } from './recorded-world.js';
import { INFO, OTHER_UNIT, TCP } from './regression-world.js';
import { ROOT } from '../fakes/fake-release.js';

/** What went wrong in other drivers of this kind when a volume goes, by the numbers of docs/regressions.md. */

/** Another volume of the same target, under LUN 2. */
const OTHER = infoFor(['192.0.2.10:3260'], { target_luns: [2], volume_id: 'volume-8' });

function keepMapInUse({ host }: RecordedWorld): void {
  host.kernel.multipathd.busyTimes = Infinity;
}

test.each([
  ['is disconnected', true],
  ['cannot be found', false],
] as const)(
  'volume that %s leaves another target at the same portal alone (W-3, R31, R32, R83)',
  async (_what, exists) => {
    const world = openRecordedWorld();
    const own = addTarget(world, [TCP]);
    if (!exists) own.units.clear();
    const other = new FakeTarget({ iqn: `${IQN}-b`, portals: [TCP] });
    other.units.set(1, OTHER_UNIT);
    world.host.targets.push(other);
    world.host.tree.write(`${ROOT}/send_targets/192.0.2.10,3260/st_config`, 'discovery.type = sendtargets\n');
    world.host.tree.symbolicLink(
      `${ROOT}/send_targets/192.0.2.10,3260/${other.iqn},192.0.2.10,3260,1,default`,
      `${ROOT}/nodes/${other.iqn}/192.0.2.10,3260,1`,
    );
    const theirs = dataChanged(INFO, { target_iqns: [other.iqn], volume_id: 'volume-8' });
    const { device } = await world.driver.connect(theirs);
    const before = await world.residue();
    if (exists) {
      await world.driver.connect(INFO);
      await world.driver.disconnect(INFO);
    } else {
      expect(await failure(world.driver.connect(INFO))).toMatchObject({ code: 'DEVICE_NOT_FOUND' });
    }
    expect({ residue: await world.residue(), device: (await world.driver.find(theirs))?.device }).toEqual({
      residue: before,
      device,
    });
  },
);

test('disconnect() of a volume without a session removes the record, once (R11, R26, R88)', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP]);
  await world.driver.connect(INFO);
  for (const session of [...world.host.kernel.sessions]) world.host.kernel.removeSession(session);
  expect(await world.driver.disconnect(INFO)).toEqual({ found: true, warnings: [] });
  expect(await world.residue()).toEqual([]);
  expect(await world.driver.disconnect(INFO)).toEqual({ found: false, warnings: [] });
});

test('disconnect() of a volume without records still removes disk and session (W-23)', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP]);
  await world.driver.connect(INFO);
  world.host.tree.remove(`${ROOT}/nodes/${IQN}`);
  expect(await world.driver.disconnect(INFO)).toEqual({ found: true, warnings: [] });
  expect(await world.residue()).toEqual([]);
});

test('disconnect() deletes the disk on a shared session, and the LUN may come back as another (R51)', async () => {
  const world = openRecordedWorld();
  const target = addTarget(world, [TCP]);
  target.units.set(2, OTHER_UNIT);
  for (const info of [INFO, OTHER]) await world.driver.connect(info);
  await world.driver.disconnect(INFO);
  expect({
    volume: await world.driver.find(INFO),
    deed: world.deeds.at(-1),
    sessions: world.host.kernel.sessions.length,
  }).toEqual({ volume: undefined, deed: 'delete sda', sessions: 1 });
  target.units.set(1, { wwid: `naa.6001405${'9'.repeat(25)}`, sizeBytes: 2 * 2 ** 30 });
  expect((await world.driver.connect(INFO)).device).toMatchObject({
    wwid: `36001405${'9'.repeat(25)}`,
    sizeBytes: 2 * 2 ** 30,
  });
});

test('disconnect() ignores the device_path of the connection_info (R71, R99)', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP]).units.set(2, OTHER_UNIT);
  const { device } = await world.driver.connect(OTHER);
  expect((await world.driver.connect(INFO)).device.path).toBe('/dev/sdb');
  await world.driver.disconnect(dataChanged(INFO, { device_path: device.path }));
  expect({ deed: world.deeds.at(-1), other: (await world.driver.find(OTHER))?.device }).toEqual({
    deed: 'delete sdb',
    other: device,
  });
});

describe('disconnect() flushes before it removes', () => {
  test('disconnect() flushes one disk first, where a map was requested and none came (R78)', async () => {
    const world = openMultipathWorld();
    world.host.kernel.multipathd.blacklistsAll = true;
    const { device } = await world.driver.connect(infoFor(PORTALS));
    world.deeds.splice(0);
    await world.driver.disconnect(infoFor(PORTALS));
    expect(world.deeds.slice(0, 2)).toEqual([`sync ${device.path}`, `delete ${device.path.slice('/dev/'.length)}`]);
  });

  test('disconnect() flushes the map, not each path, where maps are no longer used (R72, R76, R79)', async () => {
    const world = openMultipathWorld();
    await world.driver.connect(infoFor(PORTALS));
    const later = openRecordedWorld({ volume_use_multipath: false }, world);
    world.deeds.splice(0);
    await later.driver.disconnect(infoFor(PORTALS.slice(0, 1)));
    expect(
      world.deeds
        .filter((deed) => /^(?:sync|remove|delete [^r])/.test(deed))
        .map((deed) => deed.replace(/[abcd]$/, '?')),
    ).toEqual(['sync /dev/dm-0', 'remove mpath?', ...PORTALS.map(() => 'delete sd?')]);
  });
});

test('disconnect() retries a map that is open for a moment, and removes all of it (R74, W-12)', async () => {
  const world = openMultipathWorld();
  await world.driver.connect(infoFor(PORTALS));
  const began = world.clock.now();
  world.host.kernel.multipathd.busyTimes = 2;
  expect(await world.driver.disconnect(infoFor(PORTALS))).toEqual({ found: true, warnings: [] });
  expect(await world.residue()).toEqual([]);
  expect(world.clock.now() - began).toBeLessThan(2_000);
});

test('disconnect() waits half a minute for a map that udev keeps open while its dead paths fail', async () => {
  const world = openMultipathWorld();
  await world.driver.connect(infoFor(PORTALS));
  const run = world.host.run.bind(world.host);
  const until = world.clock.now() + 30_000;
  world.host.run = async (command, signal) =>
    command.program === 'multipath' && command.args[0] === '-f' && world.clock.now() < until
      ? { exitCode: 1, stdout: '', stderr: 'mpatha: map in use\n' }
      : await run(command, signal);
  expect(await world.driver.disconnect(infoFor(PORTALS))).toEqual({ found: true, warnings: [] });
  expect(await world.residue()).toEqual([]);
});

test('disconnect() of a map that stays in use ends before any of its disks goes (R75)', async () => {
  const world = openMultipathWorld();
  await world.driver.connect(infoFor(PORTALS));
  keepMapInUse(world);
  expect(await failure(world.driver.disconnect(infoFor(PORTALS)))).toMatchObject({
    code: 'CLEANUP_INCOMPLETE',
    message: 'Cannot remove the multipath map mpatha: mpatha: map in use',
  });
  expect((await world.driver.find(infoFor(PORTALS)))?.paths).toHaveLength(4);
});

test('disconnect() tells a multipathd that still watches a removed disk to release it (R80)', async () => {
  const world = openMultipathWorld();
  const { multipathd } = world.host.kernel;
  await world.driver.connect(infoFor(PORTALS));
  multipathd.vanished = () => undefined;
  await world.driver.disconnect(infoFor(PORTALS));
  expect(commandsOf(world).filter((line) => line.startsWith('multipathd del path'))).toHaveLength(4);
  expect([...multipathd.watched]).toEqual([]);
});

test('disconnect() of two sessions to one portal over one iface removes the volume from both (R82)', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP]);
  await world.driver.connect(INFO);
  const second = world.host.kernel.addSession({
    target: IQN,
    portal: { address: '192.0.2.10', port: 3260 },
    iface: 'default',
    transport: 'tcp',
  });
  world.host.kernel.write(`/sys/class/scsi_host/host${second.id}/scan`, '0 0 1');
  expect(world.host.tree.list('/dev').filter((name) => name.startsWith('sd'))).toEqual(['sda', 'sdb']);
  await world.driver.disconnect(INFO);
  expect(await world.residue()).toEqual([]);
});

test('connect() gives a disk that LVM uses, not a map, and disconnect() refuses it (W-18, R70)', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP]);
  const { device } = await world.driver.connect(INFO);
  for (const [file, text] of Object.entries({
    'dm/uuid': 'LVM-x',
    'dm/name': 'guest-root',
    'dm/suspended': '0',
    size: '2048',
  }))
    world.host.tree.write(`/sys/class/block/dm-7/${file}`, `${text}\n`);
  world.host.tree.blockDevice('/dev/dm-7');
  world.host.tree.symbolicLink(
    `${world.host.tree.resolve('/sys/class/block/sda') ?? ''}/holders/dm-7`,
    '/sys/class/block/dm-7',
  );
  world.host.open(device.path, { pid: 0, name: 'the kernel (dm-7)' });
  world.host.kernel.multipathd.start();
  world.host.kernel.multipathd.blacklistsAll = true; // as the real one fails to take a disk that is in use
  const withMaps = openRecordedWorld({ volume_use_multipath: true }, world);
  expect((await withMaps.driver.connect(INFO)).device).toEqual(device);
  expect(await failure(withMaps.driver.disconnect(INFO, { force: true }))).toMatchObject({ code: 'DEVICE_IN_USE' });
  expect(commandsOf(world).filter((line) => /^multipath -f|^multipathd del map/.test(line))).toEqual([]);
});
