import { describe, expect, test } from '@jest/globals';
import { VolumeError } from '../../src/base/volume-error.js';
import { disk, GIB, onHost, openWithGuest, publish, WEB1, NEW_NAME } from './swap-world.js';

describe('after a swap', () => {
  test('detach() after swap() finds the disk by device in the running guest, by name in its stored XML', async () => {
    const world = await openWithGuest();
    await world.swap();
    expect(await world.driver.detach(WEB1, world.to.info)).toEqual({ found: true, warnings: [] });
    expect([disk(world), disk(world, 'config')]).toEqual([undefined, undefined]);
    expect(await world.residue()).toEqual([]);
  });

  test('detach() after swap() can repeat when unconfirmed, though the stored XML lacks the disk', async () => {
    const world = await openWithGuest();
    await world.swap();
    world.libvirt.setAnswer('web1', 'never');
    await expect(world.driver.detach(WEB1, world.to.info)).rejects.toMatchObject({ code: 'DETACH_UNCONFIRMED' });
    expect([disk(world)?.alias, disk(world, 'config')]).toEqual(['ua-old', undefined]);
    world.libvirt.setAnswer('web1', 'at once');
    expect(await world.driver.detach(WEB1, world.to.info)).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test('detach() after swap() finds the disk once the guest has restarted', async () => {
    const world = await openWithGuest();
    await world.swap();
    world.libvirt.stop('web1');
    world.libvirt.start('web1');
    expect(disk(world)).toMatchObject({ alias: 'ua-new', serial: 'new' });
    expect(await world.driver.detach(WEB1, world.to.info)).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test('detach() after swap() removes the disk from a guest that was shut off meanwhile', async () => {
    const world = await openWithGuest();
    await world.swap();
    world.libvirt.stop('web1');
    expect(await world.driver.detach(WEB1, world.to.info)).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test('detach() of the old volume after swap() leaves the new volume in the guest', async () => {
    const world = await openWithGuest();
    await world.swap();
    const before = await world.residue();
    await expect(world.driver.detach(WEB1, world.from.info)).rejects.toMatchObject({
      code: 'DEVICE_MISMATCH',
      details: { targetDev: 'vdb', target: world.to.target.iqn, lun: 1 },
    });
    expect([disk(world)?.targetDev, disk(world, 'config')?.targetDev, await world.residue()]).toEqual([
      'vdb',
      'vdb',
      before,
    ]);
  });

  test('detach() of a swapped volume that replaced a third removes its own disk, not its namesake', async () => {
    const world = await openWithGuest();
    const third = publish(world, 'third');
    await world.driver.attach(WEB1, third.info, { dev: 'vdc', bus: 'virtio' });
    await world.swap();
    await world.driver.swap(WEB1, third.info, world.from.info);
    expect(await world.driver.detach(WEB1, world.from.info)).toEqual({ found: true, warnings: [] });
    expect(world.libvirt.disksOf('web1').map(({ targetDev }) => targetDev)).toEqual(['vdb']);
    expect(world.libvirt.disksOf('web1', 'config').map(({ alias }) => alias)).toEqual(['ua-new']);
  });

  test("extend() after swap() tells the guest the new volume's size", async () => {
    const world = await openWithGuest();
    await world.swap();
    world.to.target.resize(1, 3 * GIB);
    expect(await world.driver.extend(world.to.info, { domain: WEB1 })).toMatchObject({
      guestResized: true,
      warnings: [],
    });
    expect(world.libvirt.sizeOf('web1', 'vdb')).toBe(3 * GIB);
  });

  test('detach() after swap() does not mistake a device of the same path for an unconnected volume', async () => {
    const world = await openWithGuest();
    await world.swap();
    expect(await world.driver.detach(WEB1, publish(world, 'another').info)).toEqual({ found: false, warnings: [] });
    expect(disk(world)?.targetDev).toBe('vdb');
  });
});

describe('swap() with failures after its pivot', () => {
  test('swap() that cannot release the old volume keeps it, and disconnect() removes it later', async () => {
    const world = await openWithGuest();
    world.host.kernel.unflushable.add('/dev/sda');
    const { volume, oldReleased, warnings } = await world.swap();
    expect([disk(world)?.sourcePath, oldReleased, warnings]).toEqual([
      volume.device.path,
      false,
      [expect.stringMatching(/^the old volume stays on this host; disconnect it: /)],
    ]);
    world.host.kernel.unflushable.clear();
    expect(await world.driver.disconnect(world.from.info)).toEqual({ found: true, warnings: [] });
  });

  test('swap() repeats the update of a stored description that libvirt refused before', async () => {
    const world = await openWithGuest();
    const updateDevice = world.libvirt.updateDevice.bind(world.libvirt);
    world.libvirt.updateDevice = async () => {
      throw new VolumeError('LIBVIRT_REFUSED', 'no');
    };
    const { oldReleased, warnings } = await world.swap();
    expect([oldReleased, warnings]).toEqual([
      true,
      [expect.stringMatching(/^the guest's stored description does not name the new volume; swap again/)],
    ]);
    world.libvirt.updateDevice = updateDevice;
    expect((await world.swap()).warnings).toEqual([]);
    expect(disk(world, 'config')).toMatchObject({ alias: 'ua-new', sourcePath: NEW_NAME });
  });

  test('detach() of the new volume removes a stored description with the old name', async () => {
    const world = await openWithGuest();
    world.libvirt.updateDevice = async () => {
      throw new VolumeError('LIBVIRT_REFUSED', 'no');
    };
    await world.swap();
    expect(await world.driver.detach(WEB1, world.to.info)).toEqual({ found: true, warnings: [] });
    expect([disk(world), disk(world, 'config'), await world.residue()]).toEqual([undefined, undefined, []]);
  });

  test('extend() tells a guest the size of a larger swapped volume only once it has restarted', async () => {
    const world = await openWithGuest({ sizeBytes: 2 * GIB });
    await world.swap();
    await expect(world.driver.extend(world.to.info, { domain: WEB1 })).rejects.toMatchObject({
      code: 'LIBVIRT_REFUSED',
    });
    world.libvirt.stop('web1');
    world.libvirt.start('web1');
    expect(disk(world)?.sliceBytes).toBeUndefined();
    expect(await world.driver.extend(world.to.info, { domain: WEB1 })).toMatchObject({ guestResized: true });
  });
});

describe('swap() after one that was killed', () => {
  test('swap() resumes the copy of a swap() that was killed while it copied', async () => {
    const world = await openWithGuest();
    const { device } = await world.driver.connect(world.to.info);
    world.libvirt.beginCopy('web1', 'vdb', device.path);
    expect(await world.swap()).toMatchObject({ oldReleased: true, warnings: [] });
    expect(disk(world)).toMatchObject({ sourcePath: device.path, mirror: undefined });
  });

  test('swap() back resumes its copy though the disk still has the alias of the volume that it goes to', async () => {
    const world = await openWithGuest();
    await world.swap();
    const { device } = await world.driver.connect(world.from.info);
    world.libvirt.beginCopy('web1', 'vdb', device.path);
    expect(await world.driver.swap(WEB1, world.to.info, world.from.info)).toMatchObject({ oldReleased: true });
    expect(disk(world)).toMatchObject({ sourcePath: device.path, alias: 'ua-old', mirror: undefined });
  });

  test('swap() finishes description, size and old volume of one that was killed after its pivot', async () => {
    const world = await openWithGuest({ sizeBytes: 2 * GIB });
    const { device } = await world.driver.connect(world.to.info);
    world.libvirt.widensSlices = true;
    world.libvirt.beginCopy('web1', 'vdb', device.path, GIB);
    for (let looks = 0; looks < 3; looks++) await world.libvirt.blockJob(WEB1, 'vdb', AbortSignal.timeout(1_000));
    await world.libvirt.blockJobAbort(WEB1, 'vdb', { pivot: true }, AbortSignal.timeout(1_000));
    expect(await world.swap()).toMatchObject({ guestResized: true, oldReleased: true, warnings: [] });
    expect(disk(world, 'config')).toMatchObject({ alias: 'ua-new', sourcePath: NEW_NAME });
    expect(await onHost(world, world.from)).toBeUndefined();
  });
});
