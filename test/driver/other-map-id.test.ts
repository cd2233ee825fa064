import { describe, expect, test } from '@jest/globals';
import { openForeignWorld, slavesOf } from './foreign-world.js';
import { commandsOf, failure, INFO, MAP } from './multipath-world.js';
import { foreignInfo, FOREIGN_PORTALS, foreignSession } from './foreign-world.js';
import { IQN, WWID } from './recorded-world.js';

/**
 * multipath.conf has a uid_attribute of its own, or a rule of udev gives another serial: the map's id is not the WWID.
 */
describe.each([
  ['ID_SERIAL_SHORT', WWID.slice(4)],
  ['ID_WWN_WITH_EXTENSION', `0x${WWID.slice(4)}`],
] as const)('a multipathd that goes by %s', (uidAttribute, id) => {
  test.each(['strict', 'no'] as const)(
    'connect() with find_multipaths %s gives a map whose id is not the WWID',
    async (findMultipaths) => {
      const world = openForeignWorld();
      Object.assign(world.host.kernel.multipathd, { uidAttribute, findMultipaths, entersMaps: true });
      const { device, warnings } = await world.driver.connect(INFO);
      expect({ device, warnings }).toMatchObject({ device: { ...MAP, id }, warnings: [] });
      expect(slavesOf(world)).toHaveLength(4);
      expect(JSON.parse(world.host.tree.read(`/var/lib/libvirt-volume/volumes/${IQN},1`) ?? '')).toMatchObject({
        wwid: MAP.wwid,
        mapId: id,
      });
      expect((await world.residue()).filter((line) => line.includes('wwid'))).toEqual(
        findMultipaths === 'no'
          ? [`wwid /${id}/`]
          : [`/var/lib/libvirt-volume/wwids/${encodeURIComponent(id)}`, `wwid /${id}/`],
      );
    },
  );

  test('disconnect() by WWID leaves nothing of a map whose id is not the WWID', async () => {
    const world = openForeignWorld();
    Object.assign(world.host.kernel.multipathd, { uidAttribute, entersMaps: true });
    const { device } = await world.driver.connect(INFO);
    await world.driver.connect(INFO);
    expect(await world.driver.disconnect(INFO, { wwid: device.wwid ?? '' })).toEqual({ found: true, warnings: [] });
    expect({
      residue: await world.residue(),
      entered: commandsOf(world).filter((line) => /multipath -[aw]/.test(line)),
    }).toEqual({
      residue: [],
      entered: [`multipath -a ${MAP.wwid}`, `multipath -a ${id}`, `multipath -w ${MAP.wwid}`, `multipath -w ${id}`],
    });
  });

  test('extend() grows a map whose id is not the WWID', async () => {
    const world = openForeignWorld();
    Object.assign(world.host.kernel.multipathd, { uidAttribute });
    await world.driver.connect(INFO);
    world.target.resize(1, 2 * 2 ** 30);
    expect(await world.driver.extend(INFO)).toMatchObject({ newSizeBytes: 2 * 2 ** 30, device: { id } });
  });

  test('disconnect() finds and removes a map without disks whose id is not the WWID', async () => {
    const world = openForeignWorld();
    Object.assign(world.host.kernel.multipathd, { uidAttribute, entersMaps: true });
    await world.driver.connect(INFO);
    for (const session of [...world.host.kernel.sessions]) world.host.kernel.removeSession(session);
    expect(await world.driver.disconnect(INFO)).toMatchObject({ found: true });
    expect(await world.residue()).toEqual([]);
  });

  test("connect() keeps two targets' volumes out of one map whose id is not the WWID", async () => {
    const world = openForeignWorld();
    Object.assign(world.host.kernel.multipathd, { uidAttribute });
    const { device } = await world.driver.connect(INFO);
    world.host.open(device.path, { pid: 42, name: 'qemu-system-x86' });
    const before = await world.residue();
    expect(await failure(world.driver.connect(foreignInfo()))).toMatchObject({ code: 'DEVICE_MISMATCH' });
    expect({ residue: await world.residue(), slaves: slavesOf(world).length }).toEqual({ residue: before, slaves: 4 });
  });

  test("connect() that fails enters no WWID where the map's id is another", async () => {
    const world = openForeignWorld({ volume_enforce_multipath: true });
    Object.assign(world.host.kernel.multipathd, { uidAttribute, isDeaf: true });
    const run = world.host.run.bind(world.host);
    world.host.run = async (command, signal) =>
      command.program === 'multipathd' && command.args[0] === 'add'
        ? { exitCode: 0, stdout: 'ok\n', stderr: '' }
        : await run(command, signal);
    for (const disk of ['sda', 'sdb', 'sdc', 'sdd']) world.host.kernel.multipathd.watched.add(disk);
    expect(await failure(world.driver.connect(INFO))).toMatchObject({ code: 'MULTIPATH_UNAVAILABLE' });
    expect(await world.residue()).toEqual([]);
  });
});

test('connect() refuses a volume of another WWID that multipathd takes into the map by its id', async () => {
  const world = openForeignWorld();
  const { multipathd } = world.host.kernel;
  Object.assign(multipathd, { uidAttribute: 'ID_SERIAL_SHORT' });
  world.clone.units.set(1, { wwid: `eui.${WWID.slice(4)}`, sizeBytes: 2 ** 30 });
  const { device } = await world.driver.connect(INFO);
  world.host.open(device.path, { pid: 42, name: 'qemu-system-x86' });
  const before = await world.residue();
  expect(await failure(world.driver.connect(foreignInfo(FOREIGN_PORTALS)))).toMatchObject({
    code: 'DEVICE_MISMATCH',
    details: { map: 'mpatha' },
  });
  expect({ residue: await world.residue(), slaves: slavesOf(world) }).toEqual({
    residue: before,
    slaves: ['sda', 'sdb', 'sdc', 'sdd'],
  });
});

test('connect() gives a map without disks, known by its id, no disk of another volume', async () => {
  const world = openForeignWorld();
  Object.assign(world.host.kernel.multipathd, { uidAttribute: 'ID_SERIAL_SHORT' });
  await world.driver.connect(INFO);
  for (const session of [...world.host.kernel.sessions]) world.host.kernel.removeSession(session);
  world.host.open('/dev/dm-0', { pid: 42, name: 'qemu-system-x86' });
  const before = await world.residue();
  expect(await failure(world.driver.connect(foreignInfo()))).toMatchObject({ code: 'DEVICE_MISMATCH' });
  expect({ residue: await world.residue(), slaves: slavesOf(world) }).toEqual({ residue: before, slaves: [] });
  expect(foreignSession(world)).toBe('sda'); // what another hand does is not ours to stop
});
