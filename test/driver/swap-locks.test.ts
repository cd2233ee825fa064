import { describe, expect, test } from '@jest/globals';
import { VolumeError } from '../../src/base/volume-error.js';
import { LibvirtISCSIVolumeDriver } from '../../src/driver/libvirt-iscsi-volume-driver.js';
import type { SwappedVolume } from '../../src/driver/volume-driver.js';
import type { Locks } from '../../src/host/locks.js';
import {
  disk,
  GIB,
  OLD_NAME,
  onHost,
  openWithGuest,
  publish,
  requireUntouched,
  type SwapWorld,
  WEB1,
} from './swap-world.js';

const LONG = { readyAfterLooks: 100 };

const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
  await work.then(
    () => 'done',
    (error: unknown) => (error as VolumeError).code,
  );

/** Another process on the same host. */
const anotherProcess = ({ parts }: SwapWorld): LibvirtISCSIVolumeDriver => new LibvirtISCSIVolumeDriver(parts);

/** Runs the body once while the copy goes on, and waits for it when the swap has ended. */
async function swapWhile(world: SwapWorld, body: () => Promise<void>, signal?: AbortSignal): Promise<SwappedVolume> {
  world.libvirt.copyFate = LONG;
  let meanwhile: Promise<void> | undefined;
  try {
    return await world.swap(
      {
        onProgress: () => {
          meanwhile ??= body();
        },
      },
      signal,
    );
  } finally {
    await meanwhile;
  }
}

/** Counts the pivots that libvirt was asked for. */
function pivotsOf({ libvirt }: SwapWorld): () => number {
  const blockJobAbort = libvirt.blockJobAbort.bind(libvirt);
  let pivots = 0;
  libvirt.blockJobAbort = async (domain, targetDev, end, signal) => {
    if (end.pivot) pivots += 1;
    await blockJobAbort(domain, targetDev, end, signal);
  };
  return () => pivots;
}

describe('swap() while it copies', () => {
  test('swap() that copies holds up no other volume of its targets', async () => {
    const world = await openWithGuest();
    const { from, to } = world;
    const copied: number[] = [];
    for (const { target } of [from, to])
      target.units.set(7, {
        wwid: `naa.6001405${target === from.target ? '6' : '7'}${'0'.repeat(24)}`,
        sizeBytes: GIB,
      });
    await swapWhile(world, async () => {
      for (const { target } of [from, to]) {
        const info = {
          driver_volume_type: 'iscsi',
          serial: `other-${target.iqn}`,
          data: { target_portal: '192.0.2.10:3260', target_iqn: target.iqn, target_lun: 7 },
        };
        await world.driver.connect(info);
        await world.driver.disconnect(info);
        copied.push(disk(world)?.mirror === undefined ? GIB : 0);
      }
    });
    expect(copied).toEqual([0, 0]);
  });

  test.each(['new', 'old'] as const)(
    'swap() that copies keeps its %s volume from disconnect() and detach()',
    async (which) => {
      const world = await openWithGuest();
      const { info } = which === 'new' ? world.to : world.from;
      const codes: unknown[] = [];
      const { volume, oldReleased } = await swapWhile(world, async () => {
        for (const call of [
          async () => await world.driver.disconnect(info),
          async () => await world.driver.disconnect(info, { force: true }),
          async () => await world.driver.detach(WEB1, info),
        ])
          codes.push(await codeOf(call()));
        expect([disk(world)?.mirror?.sourcePath, disk(world, 'config')?.alias]).toEqual(['/dev/sdb', 'ua-old']);
      });
      expect(codes).toEqual(['DEVICE_IN_USE', 'DEVICE_IN_USE', which === 'new' ? 'DEVICE_IN_USE' : 'LIBVIRT_REFUSED']);
      expect([disk(world)?.sourcePath, oldReleased]).toEqual([volume.device.path, true]);
      expect(disk(world, 'config')?.alias).toBe('ua-new');
    },
  );

  test('swap() keeps its disk from another swap() during the copy, and its new volume from attach()', async () => {
    const world = await openWithGuest();
    const third = publish(world, 'third');
    world.libvirt.addDomain({ name: 'web2' });
    const web2 = { kind: 'name', name: 'web2' } as const;
    const codes: unknown[] = [];
    await swapWhile(world, async () => {
      codes.push(await codeOf(world.driver.swap(WEB1, world.from.info, third.info)));
      codes.push(await codeOf(world.driver.attach(web2, world.to.info, { dev: 'vdb', bus: 'virtio' })));
    });
    expect([codes, await onHost(world, third)]).toEqual([['LIBVIRT_REFUSED', 'DEVICE_IN_USE'], undefined]);
    expect(disk(world)).toMatchObject({ sourcePath: '/dev/sdb', mirror: undefined });
  });

  test.each([
    ['one process', false],
    ['two processes', true],
  ])('swap() twice at once in %s pivots once, and both succeed', async (_what, apart) => {
    const world = await openWithGuest();
    const pivots = pivotsOf(world);
    const other = apart ? anotherProcess(world) : world.driver;
    const swapped: SwappedVolume[] = [];
    swapped.push(
      await swapWhile(world, async () => {
        swapped.push(await other.swap(WEB1, world.from.info, world.to.info));
      }),
    );
    expect([pivots(), swapped.map(({ oldReleased, warnings }) => ({ oldReleased, warnings }))]).toEqual([
      1,
      [
        { oldReleased: true, warnings: [] },
        { oldReleased: true, warnings: [] },
      ],
    ]);
    expect(disk(world)).toMatchObject({ sourcePath: '/dev/sdb', mirror: undefined });
    expect(disk(world, 'config')).toMatchObject({ alias: 'ua-new' });
    expect([await onHost(world, world.from), await onHost(world, world.to)]).toEqual([undefined, '/dev/sdb']);
  });

  test('swap() that is aborted leaves its copy to another call of the process that waits for it', async () => {
    const world = await openWithGuest();
    const controller = new AbortController();
    let second: SwappedVolume | undefined;
    const first = swapWhile(
      world,
      async () => {
        second = await world.driver.swap(WEB1, world.from.info, world.to.info, {
          onProgress: () => {
            controller.abort();
          },
        });
      },
      controller.signal,
    );
    await expect(first).rejects.toMatchObject({ code: 'ABORTED' });
    expect(second).toMatchObject({ oldReleased: true, warnings: [] });
    expect(disk(world)).toMatchObject({ sourcePath: '/dev/sdb', mirror: undefined });
  });

  test('swap() twice at once, both aborted, leaves guest and host as they were', async () => {
    const world = await openWithGuest();
    const before = await world.residue();
    const controller = new AbortController();
    const { signal } = controller;
    let second: unknown;
    const first = swapWhile(
      world,
      async () => {
        const onProgress = (): void => {
          controller.abort();
        };
        second = await codeOf(world.driver.swap(WEB1, world.from.info, world.to.info, { signal, onProgress }));
      },
      signal,
    );
    await expect(first).rejects.toMatchObject({ code: 'ABORTED' });
    expect(second).toBe('ABORTED');
    await requireUntouched(world, before);
  });

  test('swap() whose copy another process ends is COPY_FAILED, and leaves guest and host as they were', async () => {
    const world = await openWithGuest();
    const before = await world.residue();
    const controller = new AbortController();
    let second: unknown;
    const first = swapWhile(world, async () => {
      const onProgress = (): void => {
        controller.abort();
      };
      const { signal } = controller;
      second = await codeOf(anotherProcess(world).swap(WEB1, world.from.info, world.to.info, { signal, onProgress }));
    });
    await expect(first).rejects.toMatchObject({ code: 'COPY_FAILED' });
    expect(second).toBe('ABORTED');
    await requireUntouched(world, before);
  });
});

describe('swap() looks again before it pivots', () => {
  test.each<[string, string, (world: SwapWorld) => void]>([
    [
      'the LUN of the new one is another volume',
      'DEVICE_MISMATCH',
      ({ to }) => {
        to.target.units.set(1, { wwid: `naa.6001405${'9'.repeat(25)}`, sizeBytes: GIB });
      },
    ],
    [
      'the new one has shrunk',
      'RESIZE_FAILED',
      ({ to }) => {
        to.target.resize(1, GIB / 2);
      },
    ],
    [
      'the guest was shut off and is off',
      'LIBVIRT_REFUSED',
      ({ libvirt }) => {
        libvirt.stop('web1');
      },
    ],
    [
      'the guest has the new one as another disk',
      'CLEANUP_INCOMPLETE',
      ({ libvirt }) => {
        libvirt.stop('web1');
        libvirt.start('web1');
        const xml = "<disk type='block'><source dev='/dev/sdb'/><target dev='vdc' bus='virtio'/></disk>";
        void libvirt.attachDevice(WEB1, xml, { live: true, config: false }, AbortSignal.timeout(1_000));
      },
    ],
    [
      'the guest has started anew',
      'COPY_FAILED',
      ({ libvirt }) => {
        libvirt.stop('web1');
        libvirt.start('web1');
      },
    ],
  ])('swap() does not pivot when %s: %s', async (_what, code, change) => {
    const world = await openWithGuest();
    const pivots = pivotsOf(world);
    await expect(
      swapWhile(world, async () => {
        change(world);
      }),
    ).rejects.toMatchObject({ code });
    expect([pivots(), disk(world, 'config')]).toMatchObject([0, { alias: 'ua-old', sourcePath: OLD_NAME }]);
    expect([disk(world)?.mirror, await onHost(world, world.from)]).toEqual([undefined, '/dev/sda']);
  });

  test('swap() waits for a daemon that goes away between the copy and the last look', async () => {
    const world = await openWithGuest();
    let isAway = false;
    const hold = world.parts.locks.hold.bind(world.parts.locks);
    const locks: Locks = {
      hold: async (keys, signal, body) => {
        if (disk(world)?.mirror?.state === 'yes' && !isAway) {
          isAway = true;
          world.libvirt.stopDaemon();
          void world.parts.clock.sleep(10_000, AbortSignal.timeout(60_000)).then(() => {
            world.libvirt.startDaemon();
          });
        }
        return await hold(keys, signal, body);
      },
    };
    const driver = new LibvirtISCSIVolumeDriver({ ...world.parts, locks });
    expect(await driver.swap(WEB1, world.from.info, world.to.info)).toMatchObject({ oldReleased: true, warnings: [] });
    expect([isAway, disk(world)?.sourcePath]).toEqual([true, '/dev/sdb']);
  });

  test('swap() aborted while it waits for its locks again leaves guest and host as they were', async () => {
    const world = await openWithGuest();
    const before = await world.residue();
    const controller = new AbortController();
    const hold = world.parts.locks.hold.bind(world.parts.locks);
    const locks: Locks = {
      hold: async (keys, signal, body) => {
        if (disk(world)?.mirror !== undefined) controller.abort();
        return await hold(keys, signal, body);
      },
    };
    const driver = new LibvirtISCSIVolumeDriver({ ...world.parts, locks });
    await expect(
      driver.swap(WEB1, world.from.info, world.to.info, { signal: controller.signal }),
    ).rejects.toMatchObject({ code: 'ABORTED' });
    await requireUntouched(world, before);
  });

  test('swap() that gets its locks no more leaves the copy to the next swap()', async () => {
    const world = await openWithGuest();
    const pivots = pivotsOf(world);
    const hold = world.parts.locks.hold.bind(world.parts.locks);
    const locks: Locks = {
      hold: async (keys, signal, body) => {
        if (disk(world)?.mirror !== undefined) throw new VolumeError('LOCK_TIMED_OUT', 'somebody has it');
        return await hold(keys, signal, body);
      },
    };
    const driver = new LibvirtISCSIVolumeDriver({ ...world.parts, locks });
    await expect(driver.swap(WEB1, world.from.info, world.to.info)).rejects.toMatchObject({
      code: 'CLEANUP_INCOMPLETE',
      hint: 'swap again: a copy resumes',
      cause: { code: 'LOCK_TIMED_OUT' },
    });
    expect([pivots(), disk(world)?.mirror]).toEqual([0, { sourcePath: '/dev/sdb', state: 'yes' }]);
    expect(await world.swap()).toMatchObject({ oldReleased: true, warnings: [] });
  });

  test('swap() costs a process for each lock, which it takes twice, a login and a logout', async () => {
    const world = await openWithGuest();
    const before = world.processesStarted();
    await world.swap();
    expect(world.processesStarted() - before).toBe(2 * 2 + 1 + 1);
  });
});
