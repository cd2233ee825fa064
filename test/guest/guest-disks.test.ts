import { describe, expect, test } from '@jest/globals';
import { SILENT } from '../../src/base/logger.js';
import { VolumeError } from '../../src/base/volume-error.js';
import type { Clock } from '../../src/host/clock.js';
import { SYSTEM_CLOCK } from '../../src/host/node/system-clock.js';
import { GuestDisks } from '../../src/guest/guest-disks.js';
import { FakeLibvirt, type FakeDomainOptions } from '../fakes/fake-libvirt.js';
import { SteppingClock } from '../libvirt/stepping-clock.js';

const guest = { kind: 'name', name: 'guest' } as const;
const signal = new AbortController().signal;
const diskXml = (targetDev: string): string =>
  `<disk type='block'><source dev='/dev/sda'/><target dev='${targetDev}' bus='virtio'/><serial>vol</serial><alias ` +
  `name='ua-vol'/></disk>`;
const match = { alias: 'ua-vol', serial: 'vol', sourcePaths: ['/dev/sda'] };
const UNCONFIRMED = {
  code: 'DETACH_UNCONFIRMED',
  hint: expect.stringContaining('Try again'),
  details: expect.objectContaining({ targetDev: 'vdb', alias: 'ua-vol' }),
};

async function attached(
  options: Partial<FakeDomainOptions>,
  clock: Clock = new SteppingClock(),
): Promise<{ readonly libvirt: FakeLibvirt; readonly disks: GuestDisks }> {
  const libvirt = new FakeLibvirt();
  libvirt.addDomain({ name: 'guest', ...options });
  const disks = new GuestDisks({ libvirt, clock, logger: SILENT, timeoutMs: 60_000 });
  await disks.attach(guest, diskXml('vdb'), signal);
  return { libvirt, disks };
}

describe('GuestDisks.attach()', () => {
  test.each([
    [{ active: true, persistent: true }, 1, 1],
    [{ active: true, persistent: false }, 1, 0],
    [{ active: false, persistent: true }, 1, 1], // a guest that does not run has one description
  ])('GuestDisks.attach() to a guest %p changes what that guest has', async (state, live, config) => {
    const { libvirt } = await attached(state);
    expect([libvirt.disksOf('guest', 'live').length, libvirt.disksOf('guest', 'config').length]).toEqual([
      live,
      config,
    ]);
  });

  test('GuestDisks.attach() passes on a refusal', async () => {
    const { disks } = await attached({});
    await expect(disks.attach(guest, diskXml('vdb'), signal)).rejects.toMatchObject({ code: 'LIBVIRT_REFUSED' });
  });
});

describe('GuestDisks.resize()', () => {
  const SIZE = 5_000_000_000_000;

  test("GuestDisks.resize() notifies the running guest, by the disk's name there", async () => {
    const { libvirt, disks } = await attached({});
    expect(await disks.resize(guest, match, SIZE, signal)).toBe('resized');
    expect(libvirt.sizeOf('guest', 'vdb')).toBe(SIZE);
  });

  test('GuestDisks.resize() ignores a guest that is shut off', async () => {
    const { libvirt, disks } = await attached({ active: false });
    expect(await disks.resize(guest, match, SIZE, signal)).toBe('not-running');
    expect(libvirt.sizeOf('guest', 'vdb')).toBeUndefined();
  });

  test('GuestDisks.resize() notifies no guest of a disk that it has by path alone', async () => {
    const { disks } = await attached({});
    expect(
      await disks.resize(guest, { alias: 'ua-other', serial: 'other', sourcePaths: ['/dev/sda'] }, SIZE, signal),
    ).toBe('no-such-disk');
  });

  test('GuestDisks.resize() passes on a refusal', async () => {
    const { libvirt, disks } = await attached({});
    libvirt.blockResize = async () => {
      throw new VolumeError('LIBVIRT_REFUSED', 'Cannot grow device files');
    };
    await expect(disks.resize(guest, match, SIZE, signal)).rejects.toMatchObject({ code: 'LIBVIRT_REFUSED' });
  });
});

describe('GuestDisks.detach()', () => {
  test.each([
    { active: true, persistent: true },
    { active: true, persistent: false },
    { active: false, persistent: true },
  ])('GuestDisks.detach() removes the disk of a guest %p, and then finds none', async (state) => {
    const { libvirt, disks } = await attached(state);
    await expect(disks.detach(guest, match, signal)).resolves.toBe(true);
    expect([libvirt.disksOf('guest', 'live'), libvirt.disksOf('guest', 'config')]).toEqual([[], []]);
    await expect(disks.detach(guest, match, signal)).resolves.toBe(false);
  });

  test('GuestDisks.detach() leaves other disks alone', async () => {
    const { libvirt, disks } = await attached({});
    await expect(disks.detach(guest, { serial: 'vol', sourcePaths: ['/dev/sdb'] }, signal)).resolves.toBe(false);
    expect(libvirt.disksOf('guest')).toHaveLength(1);
  });

  test('GuestDisks.detach() of a guest that never answers is DETACH_UNCONFIRMED, and keeps the live disk', async () => {
    const { libvirt, disks } = await attached({ answersUnplug: 'never' });
    await expect(disks.detach(guest, match, signal)).rejects.toMatchObject(UNCONFIRMED);
    expect(await disks.disks(guest, signal)).toHaveLength(1);
    expect(libvirt.disksOf('guest', 'config')).toEqual([]);
    expect(libvirt.unplugRequests('guest', 'vdb')).toBe(12); // every 5 s of 60
  });

  test('GuestDisks.detach() may be repeated after DETACH_UNCONFIRMED', async () => {
    const { libvirt, disks } = await attached({ answersUnplug: 'never' });
    await expect(disks.detach(guest, match, signal)).rejects.toMatchObject(UNCONFIRMED);
    libvirt.setAnswer('guest', 'at once');
    await expect(disks.detach(guest, match, signal)).resolves.toBe(true);
  });

  test('GuestDisks.detach() repeats the request to a guest that missed the first ones', async () => {
    const { disks } = await attached({ answersUnplug: { afterRequests: 3 } });
    await expect(disks.detach(guest, match, signal)).resolves.toBe(true);
  });

  test('GuestDisks.detach() sees a disk go that no event reports', async () => {
    let world = (): void => undefined;
    const { libvirt, disks } = await attached(
      { answersUnplug: 'never' },
      new SteppingClock((now) => {
        if (now > 3_000) world();
      }),
    );
    libvirt.hearsEvents = false;
    world = () => {
      libvirt.letGo('guest', 'vdb');
    };
    await expect(disks.detach(guest, match, signal)).resolves.toBe(true);
    expect(libvirt.unplugRequests('guest', 'vdb')).toBe(1);
  });

  test('GuestDisks.detach() wakes on the event, before its pause is over', async () => {
    const { libvirt, disks } = await attached({ answersUnplug: 'never' }, SYSTEM_CLOCK);
    const detach = disks.detach(guest, match, signal);
    await SYSTEM_CLOCK.sleep(700, signal); // the pauses are 640 ms long by now
    const start = SYSTEM_CLOCK.now();
    libvirt.letGo('guest', 'vdb');
    await expect(detach).resolves.toBe(true);
    expect(SYSTEM_CLOCK.now() - start).toBeLessThan(200);
  });

  test.each(['Device ua-vol is already in the process of unplug', 'unplug of device was rejected'])(
    'GuestDisks.detach() decides on "%s" by its meaning',
    async (words) => {
      const { libvirt, disks } = await attached({ answersUnplug: 'never' });
      const detachDevice = libvirt.detachDevice.bind(libvirt);
      libvirt.detachDevice = async (domain, xml, scope, aSignal) => {
        await detachDevice(domain, xml, scope, aSignal);
        if (scope.live) throw new VolumeError('LIBVIRT_REFUSED', words);
      };
      await expect(disks.detach(guest, match, signal)).rejects.toMatchObject({
        code: words.includes('already') ? 'DETACH_UNCONFIRMED' : 'LIBVIRT_REFUSED',
      });
    },
  );

  test('GuestDisks.detach() succeeds when the guest ends meanwhile, persistent or not', async () => {
    for (const persistent of [true, false]) {
      let world = (): void => undefined;
      const { libvirt, disks } = await attached(
        { persistent, answersUnplug: 'never' },
        new SteppingClock((now) => {
          if (now > 3_000) world();
        }),
      );
      world = () => {
        world = () => undefined;
        libvirt.stop('guest');
      };
      await expect(disks.detach(guest, match, signal)).resolves.toBe(true);
    }
  });

  test('GuestDisks.detach() passes on the loss of the daemon', async () => {
    let world = (): void => undefined;
    const { libvirt, disks } = await attached(
      { answersUnplug: 'never' },
      new SteppingClock((now) => {
        if (now > 3_000) world();
      }),
    );
    world = () => {
      libvirt.stopDaemon();
    };
    await expect(disks.detach(guest, match, signal)).rejects.toMatchObject({ code: 'LIBVIRT_UNAVAILABLE' });
  });

  test('GuestDisks.detach() stops as the signal aborts', async () => {
    const { disks } = await attached({ answersUnplug: 'never' }, SYSTEM_CLOCK);
    await expect(disks.detach(guest, match, AbortSignal.timeout(50))).rejects.toMatchObject({ code: 'ABORTED' });
  });

  test('GuestDisks.detach() of an unknown guest is DOMAIN_NOT_FOUND', async () => {
    const { disks } = await attached({});
    await expect(disks.detach({ kind: 'name', name: 'other' }, match, signal)).rejects.toMatchObject({
      code: 'DOMAIN_NOT_FOUND',
    });
  });
});
