import { describe, expect, test } from '@jest/globals';
import { openMultipathWorld, INFO as FOUR } from './multipath-world.js';
import { addTarget, infoFor, openRecordedWorld, type RecordedWorld } from './recorded-world.js';

const WEB1 = { kind: 'name', name: 'web1' } as const;
const WEB2 = { kind: 'name', name: 'web2' } as const;
const VDB = { dev: 'vdb', bus: 'virtio' };
const INFO = infoFor(['192.0.2.10:3260']);
const QEMU = { pid: 42, name: 'qemu-system-x86' };

function openWithGuests(world: RecordedWorld = openRecordedWorld()): RecordedWorld {
  if (world.host.targets.length === 0) addTarget(world, [{ address: '192.0.2.10', port: 3260, serves: 'tcp' }]);
  for (const name of ['web1', 'web2']) world.libvirt.addDomain({ name });
  return world;
}

/** What libvirt is asked to change. */
function requestsOf({ libvirt }: RecordedWorld): readonly string[] {
  const asked: string[] = [];
  const attachDevice = libvirt.attachDevice.bind(libvirt);
  libvirt.attachDevice = async (...args) => {
    asked.push('attach');
    await attachDevice(...args);
  };
  return asked;
}

describe('attach() of a volume for one guest that somebody has open', () => {
  test('attach() to a second guest is DEVICE_IN_USE while the first one runs with the volume', async () => {
    const world = openWithGuests();
    await world.driver.attach(WEB1, INFO, VDB);
    world.host.open('/dev/sda', QEMU);
    const asked = requestsOf(world);
    const before = await world.residue();
    await expect(world.driver.attach(WEB2, INFO, VDB)).rejects.toMatchObject({
      code: 'DEVICE_IN_USE',
      message: 'Cannot attach /dev/sda: qemu-system-x86 (pid 42) has it open',
      hint: expect.stringContaining('detach it from the guest') as unknown,
      details: { device: '/dev/sda', users: [QEMU] },
    });
    expect({ asked, residue: await world.residue(), second: world.libvirt.disksOf('web2') }).toEqual({
      asked: [],
      residue: before,
      second: [],
    });
  });

  test.each([
    ['a mount has the map', 'map', { pid: 0, name: 'the kernel (a mount)' }],
    ['a process has the map', 'map', QEMU],
    ['a process has a path of the map', 'path', QEMU],
  ])('attach() of a volume with a map is DEVICE_IN_USE while %s open', async (_who, what, user) => {
    const world = openWithGuests(openMultipathWorld());
    const { device } = await world.driver.connect(FOUR);
    world.host.open(what === 'map' ? device.path : '/dev/sdb', user);
    await expect(world.driver.attach(WEB1, FOUR, VDB)).rejects.toMatchObject({
      code: 'DEVICE_IN_USE',
      details: { device: device.path },
    });
    expect((await world.driver.find(FOUR))?.paths).toHaveLength(4);
  });

  test('attach() waits for a user that only passes by', async () => {
    const world = openWithGuests();
    await world.driver.connect(INFO);
    const letGo = world.host.open('/dev/sda', { pid: 7, name: 'blkid' });
    void world.clock.sleep(500, AbortSignal.timeout(60_000)).then(letGo);
    expect((await world.driver.attach(WEB1, INFO, VDB)).volume.warnings).toEqual([]);
  });

  test('attach() of a single path that multipathd has put a map over takes the map for no user', async () => {
    const world = openWithGuests();
    const { multipathd } = world.host.kernel;
    await world.driver.connect(INFO);
    multipathd.findMultipaths = 'no';
    multipathd.start();
    multipathd.appeared('sda');
    expect(multipathd.mapOf('sda')).toBeDefined();
    await world.driver.attach(WEB1, INFO, VDB);
    expect(world.libvirt.disksOf('web1')).toHaveLength(1);
  });

  test('attach() of a multiattach volume to a second guest asks nobody who has it open', async () => {
    const world = openWithGuests();
    const shared = { ...(INFO as object), multiattach: true };
    await world.driver.attach(WEB1, shared, VDB);
    world.host.open('/dev/sda', QEMU);
    await world.driver.attach(WEB2, shared, VDB);
    expect(world.libvirt.disksOf('web2')).toHaveLength(1);
  });
});

describe('attach() of a volume that the guest has already', () => {
  test.each([
    ['runs, and has it open', true, true],
    ['runs without a stored description', true, false],
    ['is shut off', false, true],
  ])('attach() repeated warns, and makes nothing twice: a guest that %s', async (_how, active, persistent) => {
    const world = openWithGuests();
    world.libvirt.addDomain({ name: 'web3', active, persistent });
    const web3 = { kind: 'name', name: 'web3' } as const;
    const first = await world.driver.attach(web3, INFO, VDB);
    if (active) world.host.open('/dev/sda', QEMU);
    const before = await world.residue();
    const again = await world.driver.attach(web3, INFO, VDB);
    expect(again).toEqual({
      ...first,
      volume: { ...first.volume, warnings: ['the guest had it already'] },
    });
    expect({
      live: active ? world.libvirt.disksOf('web3').length : 0,
      config: persistent ? world.libvirt.disksOf('web3', 'config').length : 0,
      residue: await world.residue(),
    }).toEqual({ live: active ? 1 : 0, config: persistent ? 1 : 0, residue: before });
  });

  test('attach() after a reboot of the host connects the volume that a shut-off guest has stored', async () => {
    const world = openWithGuests();
    world.libvirt.stop('web1');
    await world.driver.attach(WEB1, INFO, VDB);
    await world.driver.disconnect(INFO);
    expect((await world.driver.attach(WEB1, INFO, VDB)).volume.warnings).toEqual(['the guest had it already']);
    expect({ here: await world.driver.find(INFO), stored: world.libvirt.disksOf('web1', 'config') }).toMatchObject({
      here: { device: { path: '/dev/sda' } },
      stored: [{ targetDev: 'vdb' }],
    });
  });

  test('attach() repeated stores the disk for the next start where the running guest alone has it', async () => {
    const world = openWithGuests();
    await world.driver.attach(WEB1, INFO, VDB);
    world.host.open('/dev/sda', QEMU);
    const [stored] = world.libvirt.disksOf('web1', 'config');
    const config = { live: false, config: true };
    await world.libvirt.detachDevice(WEB1, stored?.xml ?? '', config, AbortSignal.timeout(1_000));
    expect((await world.driver.attach(WEB1, INFO, VDB)).volume.warnings).toEqual([
      'the guest had it already, and has it for its next start now',
    ]);
    expect(world.libvirt.disksOf('web1', 'config')).toHaveLength(1);
  });

  test('attach() repeated of a cdrom is a success too', async () => {
    const world = openWithGuests();
    const cdrom = { dev: 'sdb', bus: 'scsi', type: 'cdrom' };
    await world.driver.attach(WEB1, INFO, cdrom);
    world.host.open('/dev/sda', QEMU);
    expect((await world.driver.attach(WEB1, INFO, cdrom)).volume.warnings).toEqual(['the guest had it already']);
  });

  test.each([
    ['another target of the guest', { dev: 'vdc', bus: 'virtio' }],
    ['the same target on another bus', { dev: 'vdb', bus: 'scsi' }],
  ])('attach() to %s is LIBVIRT_REFUSED, and all stays', async (_what, diskInfo) => {
    const world = openWithGuests();
    await world.driver.attach(WEB1, INFO, VDB);
    world.host.open('/dev/sda', QEMU);
    await expect(world.driver.attach(WEB1, INFO, diskInfo)).rejects.toMatchObject({ code: 'LIBVIRT_REFUSED' });
    for (const which of ['live', 'config'] as const)
      expect(world.libvirt.disksOf('web1', which)).toMatchObject([{ targetDev: 'vdb', bus: 'virtio' }]);
    expect(await world.driver.find(INFO)).toBeDefined();
  });

  test('attach() to a target that another disk of the guest has is LIBVIRT_REFUSED and undone', async () => {
    const world = openWithGuests();
    const other = '<disk type="block"><source dev="/dev/sdz"/><target dev="vdb" bus="virtio"/></disk>';
    await world.libvirt.attachDevice(WEB1, other, { live: true, config: true }, AbortSignal.timeout(1_000));
    await expect(world.driver.attach(WEB1, INFO, VDB)).rejects.toMatchObject({ code: 'LIBVIRT_REFUSED' });
    expect({ residue: await world.residue(), disks: world.libvirt.disksOf('web1') }).toMatchObject({
      residue: [],
      disks: [{ sourcePath: '/dev/sdz' }],
    });
  });
});
