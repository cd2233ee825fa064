import { describe, expect, test } from '@jest/globals';
import { VolumeError } from '../../src/base/volume-error.js';
import type { SwapProgress } from '../../src/driver/volume-driver.js';
import type { FakePortal } from '../fakes/fake-target.js';
import { dataChanged } from './recorded-world.js';
import {
  disk,
  GIB,
  NEW_NAME,
  OLD_NAME,
  onHost,
  openWithGuest,
  publish,
  requireUntouched,
  type SwapWorld,
  TCP,
  WEB1,
} from './swap-world.js';

describe('swap()', () => {
  test('swap() copies, pivots, and removes the old volume from the host (D15)', async () => {
    const world = await openWithGuest();
    const progress: SwapProgress[] = [];
    const { volume, ...swapped } = await world.swap({ onProgress: (one) => progress.push(one) });
    expect(swapped).toEqual({ guestResized: false, oldReleased: true, warnings: [] });
    expect(disk(world)).toMatchObject({ targetDev: 'vdb', sourcePath: volume.device.path, mirror: undefined });
    expect([await onHost(world, world.from), await onHost(world, world.to)]).toEqual([undefined, volume.device.path]);
    expect(world.host.kernel.sessions.map(({ target }) => target)).toEqual([world.to.target.iqn]);
    expect(progress.at(-1)).toEqual({ copiedBytes: GIB, totalBytes: GIB });
    expect(world.told.at(-1)).toMatchObject({
      kind: 'volume-swapped',
      device: volume.device.path,
      wwid: volume.device.wwid,
      guestResized: false,
      oldReleased: true,
    });
  });

  test('swap() gives the next start the new volume by its own name, in the place of the old disk', async () => {
    const world = await openWithGuest();
    await world.swap();
    expect(disk(world, 'config')).toMatchObject({
      targetDev: 'vdb',
      bus: 'virtio',
      sourcePath: NEW_NAME,
      alias: 'ua-new',
      serial: 'new',
      driver: { cache: 'none' },
    });
    expect(disk(world)).toMatchObject({ alias: 'ua-old', serial: 'old' });
  });

  test('swap() of a transient guest, which has no next start, succeeds too', async () => {
    const world = await openWithGuest({}, { persistent: false });
    const { volume, warnings } = await world.swap();
    expect([disk(world)?.sourcePath, warnings]).toEqual([volume.device.path, []]);
  });

  test('swap() to a larger volume copies to its start, and the next start has its full size', async () => {
    const world = await openWithGuest({ sizeBytes: 2 * GIB });
    const warning = expect.stringMatching(
      /^the guest sees the first 1073741824 of the new volume's 2147483648 bytes until it starts anew: /,
    ) as unknown;
    expect(await world.swap()).toMatchObject({ guestResized: false, oldReleased: true, warnings: [warning] });
    expect([disk(world)?.sliceBytes, disk(world, 'config')?.sliceBytes, disk(world, 'config')?.sourcePath]).toEqual([
      GIB,
      undefined,
      NEW_NAME,
    ]);
  });

  test('swap() to a larger volume tells the guest its size where libvirt can', async () => {
    const world = await openWithGuest({ sizeBytes: 2 * GIB });
    world.libvirt.widensSlices = true;
    expect(await world.swap()).toMatchObject({ guestResized: true, warnings: [] });
    expect([world.libvirt.sizeOf('web1', 'vdb'), disk(world)?.sliceBytes]).toEqual([2 * GIB, undefined]);
  });

  test("swap() from the start of a larger volume goes by the guest's size, and needs no restart", async () => {
    const world = await openWithGuest({ sizeBytes: 2 * GIB });
    const [small, third] = [publish(world, 'small', { sizeBytes: GIB - 512 }), publish(world, 'third')];
    await world.swap();
    await expect(world.driver.swap(WEB1, world.to.info, small.info)).rejects.toMatchObject({
      code: 'RESIZE_FAILED',
      details: { oldSizeBytes: GIB },
    });
    expect(await world.driver.swap(WEB1, world.to.info, third.info)).toMatchObject({
      guestResized: false,
      warnings: [],
    });
    expect(disk(world)?.sliceBytes).toBeUndefined();
  });

  test('swap() moves a map to another map', async () => {
    const portals: readonly FakePortal[] = [TCP, { ...TCP, address: '192.0.2.11' }];
    const world = await openWithGuest({ portals }, { config: { volume_use_multipath: true } });
    expect(disk(world)?.sourcePath).toBe(OLD_NAME.replace('scsi-', 'dm-uuid-mpath-'));
    const { volume } = await world.swap();
    expect([disk(world)?.sourcePath, volume.device.kind, volume.paths.length]).toEqual([
      volume.device.path,
      'multipath',
      2,
    ]);
    expect(await world.driver.detach(WEB1, world.to.info)).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test('swap() repeated is quiet', async () => {
    const world = await openWithGuest();
    const { volume } = await world.swap();
    const again = await world.swap();
    expect(again).toMatchObject({ volume: { device: { path: volume.device.path } }, oldReleased: true, warnings: [] });
    expect(disk(world)).toMatchObject({ sourcePath: volume.device.path, mirror: undefined });
  });

  test('swap() back again and on to a third volume finds the disk by the last connection_info', async () => {
    const world = await openWithGuest();
    const third = publish(world, 'third');
    await world.swap();
    await world.driver.swap(WEB1, world.to.info, world.from.info);
    await world.driver.swap(WEB1, world.from.info, third.info);
    expect(disk(world, 'config')).toMatchObject({ alias: 'ua-third', serial: 'third' });
    expect(disk(world)).toMatchObject({ alias: 'ua-old', sourcePath: await onHost(world, third) });
    expect(await world.driver.detach(WEB1, third.info)).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test('swap() ignores a listener that throws', async () => {
    const world = await openWithGuest();
    expect(
      await world.swap({
        onProgress: () => {
          throw new Error('careless');
        },
      }),
    ).toMatchObject({ oldReleased: true });
    expect(world.log.warnings.map(({ message }) => message)).toContain('A listener to the progress of a swap failed');
  });
});

describe('swap() that fails before the pivot leaves the guest on its old volume, and the host as it was', () => {
  const refused = new VolumeError('LIBVIRT_REFUSED', 'no');

  test.each<[string, string, (world: SwapWorld) => void]>([
    [
      'libvirt refuses the copy',
      'LIBVIRT_REFUSED',
      ({ libvirt }) => {
        libvirt.blockCopy = async () => {
          throw refused;
        };
      },
    ],
    [
      'the copy breaks off',
      'COPY_FAILED',
      ({ libvirt }) => {
        libvirt.copyFate = 'fails';
      },
    ],
    [
      'the copy gets nowhere',
      'COPY_FAILED',
      ({ libvirt }) => {
        libvirt.copyFate = 'never ready';
      },
    ],
    [
      'libvirt refuses the pivot',
      'LIBVIRT_REFUSED',
      ({ libvirt }) => {
        const blockJobAbort = libvirt.blockJobAbort.bind(libvirt);
        libvirt.blockJobAbort = async (domain, targetDev, end, signal) => {
          if (end.pivot) throw refused;
          await blockJobAbort(domain, targetDev, end, signal);
        };
      },
    ],
    [
      'the new volume is not there',
      'DEVICE_NOT_FOUND',
      ({ to }) => {
        to.target.units.clear();
      },
    ],
  ])('swap() leaves guest and host as they were when %s (R86)', async (_what, code, fail) => {
    const world = await openWithGuest();
    const before = await world.residue();
    fail(world);
    await expect(world.swap()).rejects.toMatchObject({ code });
    await requireUntouched(world, before);
  });

  test('swap() that fails keeps a new volume that was connected before', async () => {
    const world = await openWithGuest();
    const { device } = await world.driver.connect(world.to.info);
    const before = await world.residue();
    world.libvirt.copyFate = 'fails';
    await expect(world.swap()).rejects.toMatchObject({ code: 'COPY_FAILED' });
    await requireUntouched(world, before);
    expect(await onHost(world, world.to)).toBe(device.path);
  });

  test('swap() rejects with ABORTED wherever it is aborted, unless the guest is on the new volume', async () => {
    for (let looks = 1; looks < 40; looks += 2) {
      const world = await openWithGuest();
      const before = await world.residue();
      const controller = new AbortController();
      const domainXml = world.libvirt.domainXml.bind(world.libvirt);
      const blockJob = world.libvirt.blockJob.bind(world.libvirt);
      let left = looks;
      const count = (): void => {
        left -= 1;
        if (left === 0) controller.abort();
      };
      world.libvirt.domainXml = async (...args) => {
        count();
        return await domainXml(...args);
      };
      world.libvirt.blockJob = async (...args) => {
        count();
        return await blockJob(...args);
      };
      const outcome = await world.swap({}, controller.signal).then(
        ({ volume }) => volume.device.path,
        (error: unknown) => error,
      );
      if (typeof outcome === 'string') expect(disk(world)?.sourcePath).toBe(outcome);
      else {
        expect(outcome).toMatchObject({ code: 'ABORTED' });
        await requireUntouched(world, before);
      }
    }
  });

  test('swap() that cannot end its copy keeps the new volume for the guest, and reports both errors', async () => {
    const world = await openWithGuest();
    world.libvirt.blockJobAbort = async () => {
      throw refused;
    };
    await expect(world.swap()).rejects.toMatchObject({
      code: 'CLEANUP_INCOMPLETE',
      cause: { errors: [{ code: 'CLEANUP_INCOMPLETE' }, { code: 'DEVICE_IN_USE' }] },
    });
    expect(disk(world)).toMatchObject({ sourcePath: OLD_NAME, mirror: { sourcePath: '/dev/sdb' } });
    expect(await onHost(world, world.to)).toBe('/dev/sdb');
  });
});

describe('swap() refuses', () => {
  test.each<[string, string, (world: SwapWorld) => readonly [unknown, unknown], object]>([
    [
      'an old volume that is encrypted',
      'CONNECTION_INFO_INVALID',
      ({ from, to }) => [dataChanged(from.info, { encrypted: true }), to.info],
      { key: 'data.encrypted' },
    ],
    [
      'a new volume that is encrypted',
      'CONNECTION_INFO_INVALID',
      ({ from, to }) => [from.info, dataChanged(to.info, { encrypted: true })],
      { key: 'data.encrypted' },
    ],
    [
      'an old volume for several guests',
      'CONNECTION_INFO_INVALID',
      ({ from, to }) => [{ ...from.info, multiattach: true }, to.info],
      { key: 'multiattach' },
    ],
    [
      'a new volume for several guests',
      'CONNECTION_INFO_INVALID',
      ({ from, to }) => [from.info, { ...to.info, multiattach: true }],
      { key: 'multiattach' },
    ],
    [
      'a new volume that is read-only',
      'CONNECTION_INFO_INVALID',
      ({ from, to }) => [from.info, dataChanged(to.info, { access_mode: 'ro' })],
      { key: 'data.access_mode' },
    ],
    [
      'a new volume that detach could not find',
      'CONNECTION_INFO_INVALID',
      ({ from, to }) => [
        from.info,
        { ...to.info, serial: null, data: { ...(to.info['data'] as object), volume_id: null } },
      ],
      { key: 'data.volume_id' },
    ],
    ['one volume for itself', 'USAGE', ({ from }) => [from.info, from.info], {}],
    [
      'an old volume that is not connected',
      'DEVICE_NOT_FOUND',
      (world) => [publish(world, 'nowhere').info, world.to.info],
      {},
    ],
  ])('swap() refuses %s: %s', async (_what, code, infos, details) => {
    const world = await openWithGuest();
    const [before, deeds, [from, to]] = [await world.residue(), world.deeds.length, infos(world)];
    await expect(world.driver.swap(WEB1, from, to)).rejects.toMatchObject({ code, details });
    await requireUntouched(world, before);
    expect(world.deeds.slice(deeds)).toEqual([]);
  });

  test('swap() to a smaller volume is RESIZE_FAILED with both sizes, and releases it', async () => {
    const world = await openWithGuest({ sizeBytes: GIB - 512 });
    const before = await world.residue();
    await expect(world.swap()).rejects.toMatchObject({
      code: 'RESIZE_FAILED',
      details: { oldSizeBytes: GIB, newSizeBytes: GIB - 512 },
    });
    await requireUntouched(world, before);
  });

  test("swap() to another target's path to the same volume is USAGE, and releases it", async () => {
    const world = await openWithGuest({ wwid: `naa.6001405${'1'.repeat(25)}` });
    const before = await world.residue();
    await expect(world.swap()).rejects.toMatchObject({ code: 'USAGE' });
    await requireUntouched(world, before);
  });

  test('swap() of a guest that is shut off is LIBVIRT_REFUSED, with a remedy', async () => {
    const world = await openWithGuest();
    world.libvirt.stop('web1');
    await expect(world.swap()).rejects.toMatchObject({
      code: 'LIBVIRT_REFUSED',
      hint: expect.stringContaining('detach the old one and attach the new one'),
    });
    expect(await onHost(world, world.to)).toBeUndefined();
  });

  test('swap() of an unknown guest is DOMAIN_NOT_FOUND', async () => {
    const world = await openWithGuest();
    await expect(
      world.driver.swap({ kind: 'name', name: 'nobody' }, world.from.info, world.to.info),
    ).rejects.toMatchObject({ code: 'DOMAIN_NOT_FOUND' });
    expect(await onHost(world, world.to)).toBeUndefined();
  });

  test('swap() of a volume that the guest does not have is DEVICE_NOT_FOUND', async () => {
    const world = await openWithGuest();
    const third = publish(world, 'third');
    await world.driver.connect(third.info);
    await expect(world.driver.swap(WEB1, third.info, world.to.info)).rejects.toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      details: { guest: 'web1' },
    });
    expect(await onHost(world, world.to)).toBeUndefined();
  });

  test('swap() of a disk of type lun is DISK_INFO_INVALID', async () => {
    const world = await openWithGuest({}, { diskInfo: { dev: 'sdb', bus: 'scsi', type: 'lun' } });
    await expect(world.swap()).rejects.toMatchObject({ code: 'DISK_INFO_INVALID', details: { key: 'type' } });
    expect(await onHost(world, world.to)).toBeUndefined();
  });

  test('swap() to a volume that the guest has as another disk is DEVICE_IN_USE', async () => {
    const world = await openWithGuest();
    await world.driver.attach(WEB1, world.to.info, { dev: 'vdc', bus: 'virtio' });
    await expect(world.swap()).rejects.toMatchObject({ code: 'DEVICE_IN_USE', details: { targetDev: 'vdc' } });
    expect(world.libvirt.disksOf('web1').map(({ sourcePath, mirror }) => [sourcePath, mirror])).toEqual([
      [OLD_NAME, undefined],
      [NEW_NAME, undefined],
    ]);
  });

  test('swap() to a volume that a process has open is DEVICE_IN_USE, and keeps it', async () => {
    const world = await openWithGuest();
    const { device } = await world.driver.connect(world.to.info);
    world.host.open(device.path, { pid: 0, name: 'the kernel (a mount)' });
    await expect(world.swap()).rejects.toMatchObject({
      code: 'DEVICE_IN_USE',
      message: `Cannot write over ${device.path}: the kernel (a mount) has it open`,
    });
    expect([disk(world)?.sourcePath, await onHost(world, world.to)]).toEqual([OLD_NAME, device.path]);
  });

  test('swap() of a disk that is being copied elsewhere is LIBVIRT_REFUSED, and the copy goes on', async () => {
    const world = await openWithGuest();
    world.libvirt.beginCopy('web1', 'vdb', '/var/backup.img');
    await expect(world.swap()).rejects.toMatchObject({ code: 'LIBVIRT_REFUSED' });
    expect([disk(world)?.mirror?.sourcePath, await onHost(world, world.to)]).toEqual(['/var/backup.img', undefined]);
  });
});
