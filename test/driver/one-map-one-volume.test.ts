import { describe, expect, test } from '@jest/globals';
import {
  FOREIGN_IQN,
  FOREIGN_PORTALS,
  foreignInfo,
  foreignSession,
  type ForeignWorld,
  GIB,
  openForeignWorld,
  slavesOf,
} from './foreign-world.js';
import { failure, INFO, MAP, PORTALS } from './multipath-world.js';
import { infoFor, IQN, WWID } from './recorded-world.js';

const QEMU = { pid: 42, name: 'qemu-system-x86' };
const OUR_SLAVES = ['sda', 'sdb', 'sdc', 'sdd'];

/** What of the other target is on the host. */
async function restOf(world: ForeignWorld, before: readonly string[]): Promise<object> {
  return {
    sessions: world.host.kernel.sessions.filter(({ target }) => target === FOREIGN_IQN).length,
    left: (await world.residue()).filter((line) => !before.includes(line)),
  };
}

async function openWithGuest(
  config: Readonly<Record<string, unknown>> = {},
): Promise<ForeignWorld & { readonly before: readonly string[] }> {
  const world = openForeignWorld(config);
  const { device } = await world.driver.connect(INFO);
  world.host.open(device.path, QEMU);
  return { ...world, before: await world.residue() };
}

describe("connect() of a volume whose WWID is that of another target's volume", () => {
  test("connect() of a second volume with the WWID is refused, and the guest's map stays as it was", async () => {
    const world = await openWithGuest();
    expect(await failure(world.driver.connect(foreignInfo()))).toMatchObject({
      code: 'DEVICE_MISMATCH',
      details: {
        wwid: MAP.wwid,
        strangers: OUR_SLAVES.map((name) => ({ device: `/dev/${name}`, origin: `LUN 1 of ${IQN}` })),
      },
    });
    expect({ ...(await restOf(world, world.before)), slaves: slavesOf(world) }).toEqual({
      sessions: 0,
      left: [],
      slaves: OUR_SLAVES,
    });
    expect((await world.driver.find(INFO))?.paths).toHaveLength(4);
  });

  test('connect() refuses a duplicate WWID each time, whichever of the two volumes comes first', async () => {
    const world = openForeignWorld();
    await world.driver.connect(foreignInfo());
    const before = await world.residue();
    const again = [await failure(world.driver.connect(INFO)), await failure(world.driver.connect(INFO))];
    expect(again.map(({ code }) => code)).toEqual(['DEVICE_MISMATCH', 'DEVICE_MISMATCH']);
    expect({ residue: await world.residue(), slaves: slavesOf(world) }).toEqual({
      residue: before,
      slaves: ['sda', 'sdb'],
    });
  });

  test('connect() deletes the disks of a refused volume before a slow multipathd adds them', async () => {
    const world = await openWithGuest();
    world.host.kernel.multipathd.hold();
    expect(await failure(world.driver.connect(foreignInfo()))).toMatchObject({ code: 'DEVICE_MISMATCH' });
    world.host.kernel.multipathd.release();
    expect({ ...(await restOf(world, world.before)), slaves: slavesOf(world) }).toEqual({
      sessions: 0,
      left: [],
      slaves: OUR_SLAVES,
    });
  });

  test('connect() removes refused disks from the map though multipathd misses their removal', async () => {
    const world = await openWithGuest();
    world.host.kernel.multipathd.missesRemovals = true;
    expect(await failure(world.driver.connect(foreignInfo()))).toMatchObject({ code: 'DEVICE_MISMATCH' });
    expect(slavesOf(world)).toEqual(OUR_SLAVES);
  });

  test('connect() of a duplicate WWID without a map asks for none and enters nothing', async () => {
    const world = openForeignWorld();
    const stranger = foreignSession(world);
    expect(await failure(world.driver.connect(INFO))).toMatchObject({
      code: 'DEVICE_MISMATCH',
      message: expect.stringContaining(`/dev/${stranger} (LUN 1 of ${FOREIGN_IQN})`) as unknown as string,
    });
    expect({
      maps: world.host.kernel.multipathd.mapOf(stranger),
      wwids: world.host.tree.read('/etc/multipath/wwids'),
    }).toEqual({ maps: undefined, wwids: undefined });
    expect((await world.residue()).filter((line) => line.includes('nodes') || line.includes(IQN))).toEqual([]);
  });

  test.each(['pci0000:00/0000:00:1f.0/host90/rport-90:0-1', 'pci0000:00/0000:00:1f.2/ata1/host91'])(
    'connect() refuses a WWID that a disk other than iSCSI has: %s',
    async (bus) => {
      const world = openForeignWorld();
      const local = world.host.kernel.addLocalDisk({ wwid: WWID, sizeBytes: GIB }, bus);
      expect(await failure(world.driver.connect(INFO))).toMatchObject({
        code: 'DEVICE_MISMATCH',
        details: { strangers: [{ device: `/dev/${local}`, origin: 'no iSCSI disk' }] },
      });
      expect(world.host.kernel.sessions).toEqual([]);
    },
  );

  test('connect() refuses a WWID that another LUN of the same target has', async () => {
    const world = openForeignWorld();
    world.target.units.set(5, { wwid: WWID, sizeBytes: GIB });
    await world.driver.connect(INFO);
    const other = { ...INFO, data: { ...(INFO['data'] as object), volume_id: 'volume-5', target_luns: [5, 5, 5, 5] } };
    expect(await failure(world.driver.connect(other))).toMatchObject({ code: 'DEVICE_MISMATCH' });
    expect(slavesOf(world)).toEqual(OUR_SLAVES);
  });

  test.each([
    ['multipathd runs', true],
    ['multipathd does not run', false],
  ])('connect() over one path refuses a duplicate WWID, where %s', async (_what, runs) => {
    const world = openForeignWorld({ volume_use_multipath: false });
    if (!runs) world.host.kernel.multipathd.stop();
    const { device } = await world.driver.connect(infoFor(PORTALS.slice(0, 1)));
    const before = await world.residue();
    expect(await failure(world.driver.connect(foreignInfo(FOREIGN_PORTALS.slice(0, 1))))).toMatchObject({
      code: 'DEVICE_MISMATCH',
    });
    expect({ residue: await world.residue(), disk: device.path }).toEqual({ residue: before, disk: '/dev/sda' });
  });

  test('connect() over one path refuses a disk that multipathd has put below the map of another', async () => {
    const world = await openWithGuest();
    const single = { ...foreignInfo(FOREIGN_PORTALS.slice(0, 1)) };
    expect(await failure(world.driver.connect(single))).toMatchObject({ code: 'DEVICE_MISMATCH' });
    expect(slavesOf(world)).toEqual(OUR_SLAVES);
  });

  test('connect() accepts one WWID from two targets that the connection_info names', async () => {
    const world = openForeignWorld();
    const data = {
      target_portals: [PORTALS[0], `${FOREIGN_PORTALS[0] ?? ''}:3260`],
      target_iqns: [IQN, FOREIGN_IQN],
      target_luns: [1, 1],
    };
    const both = { ...INFO, data: { ...(INFO['data'] as object), ...data } };
    const { device, warnings } = await world.driver.connect(both);
    expect({ members: device.kind === 'multipath' ? device.members.length : 0, warnings }).toEqual({
      members: 2,
      warnings: [],
    });
    // which knows of one of them alone
    expect(await world.driver.disconnect(infoFor(PORTALS.slice(0, 1)))).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test('connect() accepts an unlisted portal of a listed target', async () => {
    const world = openForeignWorld();
    await world.driver.connect(infoFor(PORTALS.slice(0, 2)));
    expect((await world.driver.connect(infoFor(PORTALS.slice(2)))).paths.length).toBe(4);
  });
});

describe('a disk of another volume that joins the map later', () => {
  async function polluted(inUse: boolean): Promise<ForeignWorld & { readonly stranger: string }> {
    const world = openForeignWorld();
    const { device } = await world.driver.connect(INFO);
    const stranger = foreignSession(world);
    expect(slavesOf(world)).toContain(stranger);
    if (inUse) world.host.open(device.path, QEMU);
    world.deeds.splice(0);
    return { ...world, stranger };
  }

  test("find() reports another volume's disk in the map, and connect() and extend() refuse the map", async () => {
    const world = await polluted(true);
    expect((await world.driver.find(INFO))?.warnings).toEqual([
      expect.stringContaining(`/dev/${world.stranger} (LUN 1 of ${FOREIGN_IQN})`),
    ]);
    expect(await failure(world.driver.connect(INFO))).toMatchObject({ code: 'DEVICE_MISMATCH' });
    world.target.resize(1, 2 * GIB);
    expect(await failure(world.driver.extend(INFO))).toMatchObject({ code: 'DEVICE_MISMATCH' });
    expect(world.deeds.filter((deed) => /^(?:sync|delete|remove|resize)/.test(deed))).toEqual([]);
  });

  test.each([false, true])('disconnect() (force: %s) refuses a busy map with a foreign disk', async (force) => {
    const world = await polluted(true);
    expect(await failure(world.driver.disconnect(INFO, { force }))).toMatchObject({
      code: 'DEVICE_MISMATCH',
      message: expect.stringContaining('qemu-system-x86 (pid 42) has it open') as unknown as string,
    });
    expect(world.deeds).toEqual([]);
  });

  test.each([false, true])(
    "disconnect() (force: %s) leaves the map to another volume's disk, and does not flush through it",
    async (force) => {
      const world = await polluted(false);
      expect(await world.driver.disconnect(INFO, { force })).toEqual({
        found: true,
        warnings: [expect.stringContaining(`mpatha stays for what is not the volume's: /dev/${world.stranger}`)],
      });
      expect(slavesOf(world)).toEqual([world.stranger]);
      expect(
        world.deeds.filter(
          (deed) => deed === 'sync /dev/dm-0' || deed === `delete ${world.stranger}` || deed.startsWith('remove'),
        ),
      ).toEqual([]);
      expect(world.host.kernel.sessions.map(({ target }) => target)).toEqual([FOREIGN_IQN]);
      expect(await world.driver.disconnect(INFO)).toMatchObject({ found: false });
    },
  );
});

describe('a map whose disks are another volume by now', () => {
  const OTHER = `naa.6001405${'9'.repeat(25)}`;

  function rescanned({ host, target }: ForeignWorld, sizeBytes = GIB): void {
    target.units.set(1, { wwid: OTHER, sizeBytes });
    for (const { id } of host.kernel.sessions)
      host.kernel.write(`/sys/devices/platform/host${id}/session${id}/target${id}:0:0/${id}:0:0:1/rescan`, '1');
  }

  test('connect() replaces an unused map whose disks are another volume by now', async () => {
    const world = openForeignWorld();
    await world.driver.connect(INFO);
    rescanned(world, 2 * GIB);
    expect((await world.driver.connect(INFO)).device).toMatchObject({
      wwid: `36001405${'9'.repeat(25)}`,
      sizeBytes: 2 * GIB,
    });
  });

  test('connect() and extend() refuse a map in use whose disks are another volume, each time', async () => {
    const world = await openWithGuest();
    rescanned(world);
    const failures = [
      await failure(world.driver.connect(INFO)),
      await failure(world.driver.extend(INFO)),
      await failure(world.driver.connect(INFO)),
    ];
    expect(failures.map(({ code }) => code)).toEqual(['DEVICE_MISMATCH', 'DEVICE_MISMATCH', 'DEVICE_MISMATCH']);
  });

  test('connect() refuses a map whose disks have the WWID and are smaller than the map', async () => {
    const world = openForeignWorld();
    await world.driver.connect(INFO);
    world.target.resize(1, GIB / 2);
    expect(await failure(world.driver.connect(INFO))).toMatchObject({
      code: 'DEVICE_MISMATCH',
      details: { found: GIB / 2, expected: GIB },
    });
  });

  test('connect() gives a map whose disks have grown at its old size, with a warning', async () => {
    const world = openForeignWorld();
    await world.driver.connect(INFO);
    world.target.resize(1, 2 * GIB);
    expect((await world.driver.connect(INFO)).warnings).toEqual([expect.stringContaining('extend the volume')]);
  });
});
