import { describe, expect, test } from '@jest/globals';
import { SILENT } from '../../src/base/logger.js';
import { VolumeError } from '../../src/base/volume-error.js';
import type { Clock } from '../../src/host/clock.js';
import { type CopyProgress, BlockCopy } from '../../src/guest/block-copy.js';
import type { GuestDisk } from '../../src/guest/guest-disk.js';
import { FakeLibvirt } from '../fakes/fake-libvirt.js';
import { SteppingClock } from '../libvirt/stepping-clock.js';

const guest = { kind: 'name', name: 'guest' } as const;
const never = new AbortController().signal;
const DISK =
  "<disk type='block'><source dev='/dev/sda'/><target dev='vdb' bus='virtio'/><serial>old</serial><alias " +
  "name='ua-old'/></disk>";
const UNAVAILABLE = new VolumeError('LIBVIRT_UNAVAILABLE', 'the connection is lost');

interface Moving {
  readonly libvirt: FakeLibvirt;
  readonly progress: CopyProgress[];
  /** All steps, as VolumeSwapper takes them. */
  readonly move: (signal?: AbortSignal) => Promise<void>;
  readonly begin: () => Promise<void>;
  readonly whenReady: () => Promise<void>;
  readonly pivot: () => Promise<boolean>;
}

async function moving({
  clock = new SteppingClock(),
  persistent = true,
}: { readonly clock?: Clock; readonly persistent?: boolean } = {}): Promise<Moving> {
  const libvirt = new FakeLibvirt();
  libvirt.addDomain({ name: 'guest', persistent });
  await libvirt.attachDevice(guest, DISK, { live: true, config: persistent }, never);
  const copy = new BlockCopy({ libvirt, clock, logger: SILENT });
  const domain = await libvirt.lookupDomain(guest, never);
  const progress: CopyProgress[] = [];
  const request = {
    domain,
    targetDev: 'vdb',
    devicePath: '/dev/sdb',
    devicePaths: ['/dev/sdb'],
    sliceBytes: undefined,
    onProgress: (one: CopyProgress) => {
      progress.push(one);
    },
  };
  return {
    libvirt,
    progress,
    begin: async () => {
      await copy.begin(request, never);
    },
    whenReady: async () => {
      await copy.whenReady(request, never);
    },
    pivot: async () => await copy.pivot(request),
    move: async (signal = never) => {
      await copy.begin(request, signal);
      try {
        do await copy.whenReady(request, signal);
        while (!(await copy.pivot(request)));
      } catch (error) {
        await copy.backOut(request, error);
      }
    },
  };
}

const liveDisk = (libvirt: FakeLibvirt): GuestDisk | undefined => libvirt.disksOf('guest')[0];
const OLD = { sourcePath: '/dev/sda', mirror: undefined };
const NEW = { sourcePath: '/dev/sdb', mirror: undefined };

describe('BlockCopy: begin(), whenReady(), pivot() and, after a failure, backOut()', () => {
  test('BlockCopy copies, pivots, and reports its progress until all is copied', async () => {
    const { libvirt, progress, move } = await moving();
    await move();
    expect(liveDisk(libvirt)).toMatchObject({ ...NEW, alias: 'ua-old', serial: 'old' });
    expect(progress.at(-1)?.copiedBytes).toBe(progress.at(-1)?.totalBytes);
    expect(progress.length).toBeGreaterThan(1);
  });

  test('BlockCopy again finds the disk there and does nothing', async () => {
    const { libvirt, progress, move } = await moving();
    await move();
    const told = progress.length;
    await move();
    expect({ disk: liveDisk(libvirt), told: progress.length }).toMatchObject({ disk: NEW, told });
  });

  test('BlockCopy resumes a copy to the same device', async () => {
    const { libvirt, move } = await moving();
    libvirt.beginCopy('guest', 'vdb', '/dev/sdb');
    await move();
    expect(liveDisk(libvirt)).toMatchObject(NEW);
  });

  test('BlockCopy leaves a copy to another device alone', async () => {
    const { libvirt, move } = await moving();
    libvirt.beginCopy('guest', 'vdb', '/dev/sdz');
    await expect(move()).rejects.toMatchObject({ code: 'LIBVIRT_REFUSED', hint: expect.stringContaining('--abort') });
    expect(liveDisk(libvirt)).toMatchObject({ sourcePath: '/dev/sda', mirror: { sourcePath: '/dev/sdz' } });
  });

  test('BlockCopy.pivot() leaves a copy alone that is not complete', async () => {
    const { libvirt, begin, pivot } = await moving();
    await begin();
    expect(await pivot()).toBe(false);
    expect(liveDisk(libvirt)).toMatchObject({ sourcePath: '/dev/sda', mirror: { state: 'copying' } });
  });

  test('BlockCopy.whenReady() waits no longer once somebody else has pivoted, or ended the copy', async () => {
    for (const pivot of [true, false]) {
      const moves = await moving();
      await moves.begin();
      await moves.whenReady();
      await moves.libvirt.blockJobAbort(guest, 'vdb', { pivot }, never);
      await moves.whenReady();
      if (pivot) expect(await moves.pivot()).toBe(true);
      else await expect(moves.pivot()).rejects.toMatchObject({ code: 'COPY_FAILED' });
    }
  });

  test('BlockCopy does not pivot to a copy that has all bytes and is not ready yet', async () => {
    const { libvirt, move } = await moving();
    const [blockJob, domainXml] = [libvirt.blockJob.bind(libvirt), libvirt.domainXml.bind(libvirt)];
    let looks = 0;
    libvirt.blockJob = async (...args) => {
      const job = await blockJob(...args);
      return job === undefined ? undefined : { ...job, copiedBytes: job.totalBytes };
    };
    libvirt.domainXml = async (...args) => {
      looks += 1;
      const xml = await domainXml(...args);
      return looks < 6 ? xml.replace(" ready='yes'", '') : xml;
    };
    await move();
    expect(liveDisk(libvirt)).toMatchObject(NEW);
    expect(looks).toBeGreaterThanOrEqual(6);
  });

  test('BlockCopy whose copy fails leaves the guest on its old disk', async () => {
    const { libvirt, move } = await moving();
    libvirt.copyFate = 'fails';
    await expect(move()).rejects.toMatchObject({
      code: 'COPY_FAILED',
      message: expect.stringContaining('ended before it was complete'),
    });
    expect(liveDisk(libvirt)).toMatchObject(OLD);
  });

  test('BlockCopy whose copy does not progress gives up after its limit, and ends it', async () => {
    const clock = new SteppingClock();
    const { libvirt, move } = await moving({ clock });
    libvirt.copyFate = 'never ready';
    await expect(move()).rejects.toMatchObject({ code: 'COPY_FAILED', details: { bytesLeft: 2 ** 29 } });
    expect(clock.now()).toBeLessThan(310_000);
    expect(liveDisk(libvirt)).toMatchObject(OLD);
  });

  test('BlockCopy waits for a slow copy as long as it progresses', async () => {
    const clock = new SteppingClock();
    const { libvirt, move } = await moving({ clock });
    libvirt.copyFate = { readyAfterLooks: 2_000 };
    await move();
    expect(clock.now()).toBeGreaterThan(1_000_000);
    expect(liveDisk(libvirt)).toMatchObject(NEW);
  });

  test('BlockCopy that is aborted ends the copy, and leaves the guest on its old disk', async () => {
    const controller = new AbortController();
    const { libvirt, move } = await moving({
      clock: new SteppingClock((now) => {
        if (now > 3_000) controller.abort();
      }),
    });
    libvirt.copyFate = 'never ready';
    await expect(move(controller.signal)).rejects.toMatchObject({ code: 'ABORTED' });
    expect(liveDisk(libvirt)).toMatchObject(OLD);
  });

  test('BlockCopy ends a copy that has begun although its call failed', async () => {
    const { libvirt, move } = await moving();
    const blockCopy = libvirt.blockCopy.bind(libvirt);
    libvirt.blockCopy = async (...args) => {
      await blockCopy(...args);
      throw UNAVAILABLE;
    };
    await expect(move()).rejects.toBe(UNAVAILABLE);
    expect(liveDisk(libvirt)).toMatchObject(OLD);
  });

  test('BlockCopy waits for a daemon that restarts while QEMU copies', async () => {
    let world = (): void => undefined;
    const { libvirt, move } = await moving({
      clock: new SteppingClock(() => {
        world();
      }),
    });
    libvirt.copyFate = { readyAfterLooks: 5 };
    let sleeps = 0;
    world = () => {
      sleeps += 1;
      if (sleeps === 2) libvirt.stopDaemon();
      if (sleeps === 9) libvirt.startDaemon();
    };
    await move();
    expect(liveDisk(libvirt)).toMatchObject(NEW);
  });

  test('BlockCopy trusts the description: a pivot whose answer is lost has been done', async () => {
    const { libvirt, move } = await moving();
    const blockJobAbort = libvirt.blockJobAbort.bind(libvirt);
    libvirt.blockJobAbort = async (...args) => {
      await blockJobAbort(...args);
      throw UNAVAILABLE;
    };
    await move();
    expect(liveDisk(libvirt)).toMatchObject(NEW);
  });

  test('BlockCopy waits for a daemon that dies in the pivot', async () => {
    let world = (): void => undefined;
    const { libvirt, move } = await moving({
      clock: new SteppingClock(() => {
        world();
      }),
    });
    const blockJobAbort = libvirt.blockJobAbort.bind(libvirt);
    libvirt.blockJobAbort = async (...args) => {
      await blockJobAbort(...args);
      libvirt.stopDaemon();
      let sleeps = 0;
      world = () => {
        sleeps += 1;
        if (sleeps === 20) libvirt.startDaemon();
      };
      throw UNAVAILABLE;
    };
    await move();
    expect(liveDisk(libvirt)).toMatchObject(NEW);
  });

  test('BlockCopy reports an unknown outcome where the daemon dies in the pivot and stays away', async () => {
    const { libvirt, move } = await moving();
    libvirt.blockJobAbort = async () => {
      libvirt.stopDaemon();
      throw UNAVAILABLE;
    };
    await expect(move()).rejects.toMatchObject({
      code: 'CLEANUP_INCOMPLETE',
      cause: { errors: [UNAVAILABLE, expect.objectContaining({ code: 'COPY_FAILED' })] },
    });
  });

  test('BlockCopy whose pivot libvirt refuses ends the copy and gives the reason', async () => {
    const { libvirt, move } = await moving();
    const blockJobAbort = libvirt.blockJobAbort.bind(libvirt);
    const refusal = new VolumeError('LIBVIRT_REFUSED', 'no room for a pivot');
    libvirt.blockJobAbort = async (domain, disk, end, signal) => {
      if (end.pivot) throw refusal;
      await blockJobAbort(domain, disk, end, signal);
    };
    await expect(move()).rejects.toBe(refusal);
    expect(liveDisk(libvirt)).toMatchObject(OLD);
  });

  test('BlockCopy that cannot end its copy reports both errors, and how to end it', async () => {
    const { libvirt, move } = await moving();
    libvirt.blockJobAbort = async () => {
      throw new VolumeError('LIBVIRT_REFUSED', 'busy');
    };
    await expect(move()).rejects.toMatchObject({
      code: 'CLEANUP_INCOMPLETE',
      hint: 'end it: virsh blockjob guest vdb --abort',
      cause: { errors: [{ message: 'busy' }, { message: 'busy' }] },
    });
    expect(liveDisk(libvirt)).toMatchObject({ sourcePath: '/dev/sda', mirror: { sourcePath: '/dev/sdb' } });
  });

  test.each([true, false])('BlockCopy of a guest that ends, persistent %p, rejects', async (persistent) => {
    let world = (): void => undefined;
    const { libvirt, move } = await moving({
      persistent,
      clock: new SteppingClock((now) => {
        if (now > 3_000) world();
      }),
    });
    libvirt.copyFate = 'never ready';
    world = () => {
      world = () => undefined;
      libvirt.stop('guest');
    };
    await expect(move()).rejects.toMatchObject({ code: persistent ? 'LIBVIRT_REFUSED' : 'DOMAIN_NOT_FOUND' });
  });
});
