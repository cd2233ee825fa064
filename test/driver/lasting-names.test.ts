import { describe, expect, test } from '@jest/globals';
import { INFO as SEVERAL, MAP, openMultipathWorld } from './multipath-world.js';
import { addTarget, dataChanged, infoFor, IQN, openRecordedWorld, type RecordedWorld, WWID } from './recorded-world.js';

const WEB1 = { kind: 'name', name: 'web1' } as const;
const VDB = { dev: 'vdb', bus: 'virtio' };
const INFO = infoFor(['192.0.2.10:3260']);
const DISK_NAME = `/dev/disk/by-id/scsi-${WWID.replace('naa.', '3')}`;
const MAP_NAME = `/dev/disk/by-id/dm-uuid-mpath-${MAP.wwid}`;
/** detach() has the source path to go by, beside the serial: the alias can be none. */
const BY_PATH = { ...(dataChanged(INFO, { volume_id: 'volume.7' }) as object), serial: 'volume.7' };

function openWorld(guest: { readonly active?: boolean; readonly persistent?: boolean } = {}): RecordedWorld {
  const world = openRecordedWorld();
  addTarget(world, [{ address: '192.0.2.10', port: 3260, serves: 'tcp' }]);
  world.libvirt.addDomain({ name: 'web1', ...guest });
  return world;
}

const sourcesOf = ({ libvirt }: RecordedWorld): readonly unknown[] =>
  (['live', 'config'] as const).map((which) => libvirt.disksOf('web1', which).map(({ sourcePath }) => sourcePath));

describe('attach()', () => {
  test('attach() to a persistent guest writes a persistent device name to both its XMLs (W-17, R71)', async () => {
    const world = openWorld();
    const { volume } = await world.driver.attach(WEB1, INFO, VDB);
    expect({
      sources: sourcesOf(world),
      device: volume.device.path,
      disk: volume.paths[0].disk,
      warnings: volume.warnings,
    }).toEqual({ sources: [[DISK_NAME], [DISK_NAME]], device: '/dev/sda', disk: '/dev/sda', warnings: [] });
    expect((await world.driver.find(INFO))?.device.path).toBe('/dev/sda');
  });

  test('attach() gives the guest the persistent name of the map where there is one (W-17, R71)', async () => {
    const world = openMultipathWorld();
    world.libvirt.addDomain({ name: 'web1' });
    const { volume } = await world.driver.attach(WEB1, SEVERAL, VDB);
    expect({ sources: sourcesOf(world), device: volume.device.path, warnings: volume.warnings }).toEqual({
      sources: [[MAP_NAME], [MAP_NAME]],
      device: '/dev/dm-0',
      warnings: [],
    });
  });

  test('attach() gives a shut-off guest a persistent name: its next start finds the volume (W-17, R71)', async () => {
    const world = openWorld({ active: false });
    await world.driver.attach(WEB1, INFO, VDB);
    const target = world.host.targets[0];
    const [session] = world.host.kernel.sessions;
    if (target === undefined || session === undefined) throw new Error('nothing was connected');
    world.host.kernel.removeSession(session); // the host restarts, and another volume is there first
    target.units.set(2, { wwid: `naa.6001405${'8'.repeat(25)}`, sizeBytes: 2 ** 30 });
    await world.driver.connect(infoFor(['192.0.2.10:3260'], { target_luns: [2], volume_id: 'volume-8' }));
    expect((await world.driver.connect(INFO)).device.path).toBe('/dev/sdb');
    world.libvirt.start('web1');
    expect(world.libvirt.disksOf('web1').map(({ sourcePath = '' }) => world.host.tree.resolve(sourcePath))).toEqual([
      '/dev/sdb',
    ]);
    expect(await world.driver.detach(WEB1, INFO)).toEqual({ found: true, warnings: [] });
  });

  test('attach() gives a transient guest the path of the device, and looks for no name', async () => {
    const world = openWorld({ persistent: false });
    world.host.kernel.udev.runs = false;
    const { volume, diskXml } = await world.driver.attach(WEB1, INFO, VDB);
    expect({
      source: /<source dev="(.*)"/.exec(diskXml)?.[1],
      warnings: volume.warnings,
      waited: world.clock.now() >= 2_000,
    }).toEqual({ source: '/dev/sda', warnings: [], waited: false });
  });

  test('attach() without a name that leads to the device uses its path, with a warning (W-17)', async () => {
    const world = openWorld();
    world.host.kernel.udev.runs = false;
    const { volume } = await world.driver.attach(WEB1, INFO, VDB);
    const warning = expect.stringMatching(
      /^the guest's stored configuration has \/dev\/sda, which may be .*: no \S+scsi-3\S+ or \S+wwn-0x\S+ leads to it/,
    ) as unknown;
    expect({ sources: sourcesOf(world), warnings: volume.warnings }).toEqual({
      sources: [['/dev/sda'], ['/dev/sda']],
      warnings: [warning],
    });
    expect(world.log.warnings).toMatchObject([{ fields: { device: '/dev/sda', reason: warning } }]);
  });

  test('attach() of a volume that reports no WWID uses the path at once, with a warning (W-17)', async () => {
    const world = openWorld();
    world.host.targets[0]?.units.set(1, { wwid: 'naa.0000000000000000', sizeBytes: 2 ** 30 });
    const { volume } = await world.driver.attach(WEB1, INFO, VDB);
    expect({ sources: sourcesOf(world), warnings: volume.warnings }).toEqual({
      sources: [['/dev/sda'], ['/dev/sda']],
      warnings: [
        expect.stringContaining('reports no WWID (no VPD page 0x83)'),
        expect.stringMatching(/^the guest's stored configuration has \/dev\/sda.*: it reports no WWID$/),
      ],
    });
  });

  test("attach() over one of two paths without a map never uses the other path's name (W-17)", async () => {
    const world = openWorld();
    await world.driver.connect(INFO);
    const other = world.host.kernel.addSession({
      target: IQN,
      portal: { address: '192.0.2.11', port: 3260 },
      iface: 'default',
      transport: 'tcp',
    });
    world.host.kernel.write(`/sys/class/scsi_host/host${other.id}/scan`, '0 0 1');
    expect(world.host.tree.resolve(DISK_NAME)).toBe('/dev/sdb');
    const { volume } = await world.driver.attach(WEB1, INFO, VDB);
    expect({ sources: sourcesOf(world), warnings: volume.warnings.length }).toEqual({
      sources: [['/dev/sda'], ['/dev/sda']],
      warnings: 1,
    });
  });

  test('attach() that is aborted while it waits for the name is undone', async () => {
    const world = openWorld();
    world.host.kernel.udev.hold();
    const abort = new AbortController();
    const sleep = world.clock.sleep.bind(world.clock);
    world.clock.sleep = async (...args) => {
      await sleep(...args);
      if (world.host.tree.kind('/dev/sda') !== undefined && world.clock.now() > 1_000) abort.abort();
    };
    await expect(world.driver.attach(WEB1, INFO, VDB, { signal: abort.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect({ sources: sourcesOf(world), residue: await world.residue() }).toEqual({ sources: [[], []], residue: [] });
  });
});

describe('a disk in the guest under its lasting name', () => {
  test('detach() without an alias finds a disk by its persistent name, even without udev (W-17, W-28)', async () => {
    for (const named of [true, false]) {
      const world = openWorld();
      await world.driver.attach(WEB1, BY_PATH, VDB);
      expect(sourcesOf(world)).toEqual([[DISK_NAME], [DISK_NAME]]);
      if (!named) world.host.tree.remove(DISK_NAME);
      expect(await world.driver.detach(WEB1, BY_PATH)).toEqual({ found: true, warnings: [] });
      expect({ sources: sourcesOf(world), residue: await world.residue() }).toEqual({ sources: [[], []], residue: [] });
    }
  });

  test('detach() and extend() without an alias find the disk when a map has taken it since', async () => {
    const world = openMultipathWorld({ volume_use_multipath: false });
    world.libvirt.addDomain({ name: 'web1' });
    await world.driver.attach(WEB1, BY_PATH, VDB);
    expect(sourcesOf(world)).toEqual([[DISK_NAME], [DISK_NAME]]);
    const later = openRecordedWorld({ volume_use_multipath: true }, world);
    later.libvirt.addDomain({ name: 'web1' });
    await later.driver.connect(BY_PATH);
    expect((await later.driver.find(BY_PATH))?.device.path).toBe('/dev/dm-0');
    await later.libvirt.attachDevice(
      WEB1,
      world.libvirt.disksOf('web1', 'config')[0]?.xml ?? '',
      { live: true, config: true },
      AbortSignal.timeout(5_000),
    );
    world.target.resize(1, 2 * 2 ** 30);
    expect(await later.driver.extend(BY_PATH, { domain: WEB1 })).toMatchObject({ guestResized: true, warnings: [] });
    expect(await later.driver.detach(WEB1, BY_PATH)).toMatchObject({ found: true });
    expect(sourcesOf(later)).toEqual([[], []]);
  });

  test('detach() of a shared volume without an alias finds the disk of the other guest', async () => {
    const world = openWorld();
    world.libvirt.addDomain({ name: 'web2', active: false });
    const shared = { ...BY_PATH, multiattach: true };
    await world.driver.attach(WEB1, shared, VDB);
    await world.driver.attach({ kind: 'name', name: 'web2' }, shared, VDB);
    expect(await world.driver.detach(WEB1, shared)).toEqual({
      found: true,
      warnings: ['the volume stays on this host for the guests that have it too: web2'],
    });
  });
});
