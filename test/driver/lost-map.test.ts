import { describe, expect, test } from '@jest/globals';
import { VolumeError } from '../../src/base/volume-error.js';
import { OTHER_UNIT } from './regression-world.js';
import { foreignInfo, foreignSession, type ForeignWorld, GIB, openForeignWorld, slavesOf } from './foreign-world.js';
import { failure, INFO, MAP, PORTALS } from './multipath-world.js';
import { infoFor, IQN, openRecordedWorld, WWID } from './recorded-world.js';

const QEMU = { pid: 42, name: 'qemu-system-x86' };
const NOTE = `/var/lib/libvirt-volume/volumes/${IQN},1`;

/** Somebody has ended the sessions below the map, or the kernel has given the disks up. */
function loseDisks({ host }: ForeignWorld): void {
  for (const session of host.kernel.sessions.filter(({ target }) => target === IQN)) host.kernel.removeSession(session);
}

/** Records that have no session go with whatever call comes first. */
async function volumeLeft(world: ForeignWorld): Promise<readonly string[]> {
  return (await world.residue()).filter((line) => !line.startsWith('/etc/iscsi/'));
}

async function openLost(): Promise<ForeignWorld> {
  const world = openForeignWorld();
  await world.driver.connect(INFO);
  loseDisks(world);
  expect({ slaves: slavesOf(world), uuid: world.host.tree.read('/sys/class/block/dm-0/dm/uuid') }).toEqual({
    slaves: [],
    uuid: `mpath-${MAP.wwid}\n`,
  });
  world.deeds.splice(0);
  return world;
}

describe('disconnect() of a volume whose map has lost all its disks', () => {
  test.each([
    ['', INFO, {}],
    [' with force', INFO, { force: true }],
    [' with the WWID', INFO, { wwid: MAP.wwid }],
    [' that names one portal', infoFor(PORTALS.slice(0, 1)), {}],
  ])('disconnect() finds a map without disks by its note, and leaves no residue%s', async (_how, info, options) => {
    const world = await openLost();
    expect(await world.driver.disconnect(info, options)).toEqual({ found: true, warnings: [] });
    expect(world.deeds.slice(0, 3)).toEqual(['stop queueing mpatha', 'sync /dev/dm-0', 'remove mpatha']);
    expect(await world.residue()).toEqual([]);
    expect(await world.driver.disconnect(info, options)).toEqual({ found: false, warnings: [] });
  });

  test('disconnect() by a process configured for one path removes a map without disks', async () => {
    const world = await openLost();
    expect(await openRecordedWorld({}, world).driver.disconnect(INFO)).toMatchObject({ found: true });
    expect(await world.residue()).toEqual([]);
  });

  test('disconnect() removes a map without disks also without multipathd', async () => {
    const world = await openLost();
    world.host.kernel.multipathd.stop();
    expect(await world.driver.disconnect(INFO)).toMatchObject({ found: true });
    expect(await world.residue()).toEqual([]);
  });

  test('disconnect() without a note finds a map without disks by the WWID that the caller gives', async () => {
    const world = await openLost();
    world.host.tree.remove(NOTE);
    expect(await world.driver.disconnect(INFO, { wwid: MAP.wwid })).toMatchObject({ found: true });
    expect((await world.residue()).filter((line) => line.startsWith('/dev/'))).toEqual([]);
  });

  test.each([false, true])(
    'disconnect() keeps a map without disks while a guest has it open (force: %s)',
    async (force) => {
      const world = await openLost();
      const letGo = world.host.open('/dev/dm-0', QEMU);
      expect(await failure(world.driver.disconnect(INFO, { force }))).toMatchObject({
        code: 'DEVICE_IN_USE',
        message: 'Cannot remove /dev/dm-0: qemu-system-x86 (pid 42) has it open',
      });
      expect(world.deeds).toEqual([]);
      letGo();
      expect(await world.driver.disconnect(INFO, { force })).toMatchObject({ found: true });
      expect(await world.residue()).toEqual([]);
    },
  );

  test('disconnect() with a WWID other than the noted one is refused and touches nothing', async () => {
    const world = await openLost();
    expect(await failure(world.driver.disconnect(INFO, { wwid: `36001405${'8'.repeat(25)}` }))).toMatchObject({
      code: 'DEVICE_MISMATCH',
      details: { device: '/dev/dm-0', found: MAP.wwid },
    });
    expect(world.deeds).toEqual([]);
  });

  test('disconnect() that cannot remove a map without disks keeps the note for the next call', async () => {
    const world = await openLost();
    const run = world.host.run.bind(world.host);
    world.host.run = async (command, signal) =>
      command.program.startsWith('multipath') && /^(?:-f|del)/.test(String(command.args[0]))
        ? { exitCode: 1, stdout: '', stderr: 'mpatha: map in use\n' }
        : await run(command, signal);
    expect(await failure(world.driver.disconnect(INFO))).toMatchObject({ code: 'CLEANUP_INCOMPLETE' });
    expect(await failure(world.driver.disconnect(INFO, { force: true }))).toMatchObject({ code: 'CLEANUP_INCOMPLETE' });
    world.host.run = run;
    expect(await world.driver.disconnect(INFO)).toMatchObject({ found: true });
    expect(await world.residue()).toEqual([]);
  });

  test('disconnect() leaves a map that has taken the disk of another target', async () => {
    const world = await openLost();
    const stranger = foreignSession(world);
    expect(slavesOf(world)).toEqual([stranger]);
    await world.driver.disconnect(INFO);
    expect({
      slaves: slavesOf(world),
      deeds: world.deeds.filter((deed) => !/^show|record/.test(deed)),
      note: world.host.tree.kind(NOTE),
    }).toEqual({ slaves: [stranger], deeds: [], note: undefined });
    expect(world.host.tree.read('/etc/multipath/wwids')).toContain(`/${MAP.wwid}/`);
  });
});

describe('connect() of a volume whose map has lost all its disks', () => {
  test('connect() restores the paths of a map without disks while a guest waits for them', async () => {
    const world = await openLost();
    world.host.open('/dev/dm-0', QEMU);
    expect(await world.driver.connect(INFO)).toMatchObject({ device: { path: '/dev/dm-0' }, paths: { length: 4 } });
  });

  test('connect() refuses a remapped LUN each time while a guest waits on the map of the first volume', async () => {
    const world = await openLost();
    world.host.open('/dev/dm-0', QEMU);
    world.target.units.set(1, OTHER_UNIT);
    const before = await volumeLeft(world);
    for (let time = 0; time < 2; time++) {
      expect(await failure(world.driver.connect(INFO))).toMatchObject({ code: 'DEVICE_MISMATCH' });
      expect(await volumeLeft(world)).toEqual(before);
    }
  });

  test('connect() of a remapped LUN removes the unused map of the former volume', async () => {
    const world = await openLost();
    world.target.units.set(1, OTHER_UNIT);
    const { device } = await world.driver.connect(INFO);
    expect(device.wwid).toBe(`3${OTHER_UNIT.wwid.slice(4)}`);
    await world.driver.disconnect(INFO);
    expect(await world.residue()).toEqual([]);
  });

  test('connect() of another target with the same WWID refuses the map that a guest waits on', async () => {
    const world = await openLost();
    world.host.open('/dev/dm-0', QEMU);
    const before = await world.residue();
    expect(await failure(world.driver.connect(foreignInfo()))).toMatchObject({ code: 'DEVICE_MISMATCH' });
    expect({ residue: await world.residue(), slaves: slavesOf(world) }).toEqual({ residue: before, slaves: [] });
  });

  test('connect() that fails keeps a map without disks that was there before', async () => {
    const world = await openLost();
    const before = await volumeLeft(world);
    world.target.units.delete(1);
    expect(await failure(world.driver.connect(INFO))).toMatchObject({ code: 'DEVICE_NOT_FOUND' });
    expect(await volumeLeft(world)).toEqual(before);
  });
});

describe('what is noted of a volume', () => {
  test('note of a volume holds WWID, paths and map, for root alone, and disconnect() removes it', async () => {
    const world = openForeignWorld();
    await world.driver.connect(INFO);
    expect(JSON.parse(world.host.tree.read(NOTE) ?? '')).toEqual({
      version: 1,
      owner: await world.parts.processes.self(),
      volumeId: 'volume-7',
      wwid: MAP.wwid,
      mapId: MAP.wwid,
      units: [{ target: IQN, lun: 1, portals: PORTALS }],
    });
    expect(world.host.tree.entries().find(([path]) => path === NOTE)?.[1]).toMatchObject({ mode: 0o600 });
    await world.driver.disconnect(INFO);
    expect(await world.residue()).toEqual([]);
  });

  test.each([
    '',
    '{',
    '{"version":2}',
    '{"version":1,"wwid":"3600","units":[]}',
    '{"version":1,"wwid":"3600","mapId":"-w","units":[{"target":"iqn.2026-11.org.example:several","lun":1,' +
      '"portals":[]}]}',
  ])('note of a volume that cannot be read is logged and ignored: %j', async (text) => {
    const world = openForeignWorld();
    await world.driver.connect(INFO);
    world.host.tree.write(NOTE, text);
    expect((await world.driver.connect(INFO)).paths).toHaveLength(4);
    expect(world.log.warnings.some(({ fields }) => fields['file'] === NOTE)).toBe(true);
    expect(JSON.parse(world.host.tree.read(NOTE) ?? '')).toMatchObject({ wwid: MAP.wwid });
    await world.driver.disconnect(INFO);
    expect(await world.residue()).toEqual([]);
  });

  test('note that cannot be written is a warning over one path, and fails connect() of a map', async () => {
    const full = (world: ForeignWorld): void => {
      const replace = world.host.replace.bind(world.host);
      world.host.replace = async (path, ...rest) => {
        if (path.includes('/volumes/')) throw new VolumeError('PERMISSION_DENIED', 'no room');
        await replace(path, ...rest);
      };
    };
    const one = openForeignWorld({ volume_use_multipath: false });
    full(one);
    expect((await one.driver.connect(infoFor(PORTALS.slice(0, 1)))).warnings).toEqual([
      expect.stringContaining('no room'),
    ]);
    const several = openForeignWorld();
    full(several);
    expect(await failure(several.driver.connect(INFO))).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(await several.residue()).toEqual([]);
  });

  test('note of a volume that a reboot removed does not hinder the next volume under the LUN', async () => {
    const world = openForeignWorld();
    await world.driver.connect(INFO);
    loseDisks(world);
    world.host.kernel.multipathd.run('multipath', ['-f', 'mpatha']);
    world.target.units.set(1, { ...OTHER_UNIT, sizeBytes: GIB });
    expect((await world.driver.connect(INFO)).device.wwid).toBe(`3${OTHER_UNIT.wwid.slice(4)}`);
    await world.driver.disconnect(INFO);
    expect(await world.residue()).toEqual([]);
  });

  test('note of a volume keeps its disconnect() from the volume that took over its LUN', async () => {
    const world = openForeignWorld();
    await world.driver.connect(INFO);
    world.target.units.set(1, OTHER_UNIT);
    const nine = { ...INFO, serial: 'volume-9', data: { ...(INFO['data'] as object), volume_id: 'volume-9' } };
    await world.driver.connect(nine);
    expect(await failure(world.driver.disconnect(INFO))).toMatchObject({
      code: 'DEVICE_MISMATCH',
      details: { found: 'volume-9', expected: 'volume-7' },
    });
    expect(await world.driver.disconnect(nine)).toMatchObject({ found: true });
    expect(await world.driver.disconnect(INFO)).toEqual({ found: false, warnings: [] });
  });

  test('note of a single path makes connect() refuse a remapped LUN that a guest has open', async () => {
    const world = openForeignWorld({ volume_use_multipath: false });
    const info = infoFor(PORTALS.slice(0, 1));
    const { device } = await world.driver.connect(info);
    world.host.open(device.path, QEMU);
    world.target.units.set(1, OTHER_UNIT);
    for (let time = 0; time < 2; time++)
      expect(await failure(world.driver.connect(info))).toMatchObject({
        code: 'DEVICE_MISMATCH',
        details: { before: `3${WWID.slice(4)}` },
      });
  });
});
