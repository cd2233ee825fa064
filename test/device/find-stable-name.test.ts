import { expect, test } from '@jest/globals';
import type { BlockDevice } from '../../src/device/block-device.js';
import { findStableName } from '../../src/device/find-stable-name.js';
import { stableNamesOf } from '../../src/device/stable-names.js';
import type { Wwid } from '../../src/device/wwid.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { FakeHost } from '../fakes/fake-host.js';

const NAA = `6001405${'7'.repeat(25)}`;
const DISK = {
  kind: 'disk',
  path: '/dev/sda',
  address: { host: 1, channel: 0, target: 0, lun: '1' },
  wwid: `3${NAA}`,
  sizeBytes: 2 ** 30,
} as unknown as BlockDevice;
const MAP = {
  kind: 'multipath',
  path: '/dev/dm-0',
  name: 'mpatha',
  wwid: `3${NAA}`,
  sizeBytes: 2 ** 30,
  members: [],
} as unknown as BlockDevice;
const SIGNAL = new AbortController().signal;

function openHost(): {
  readonly host: FakeHost;
  readonly clock: FakeClock;
  readonly find: (device: BlockDevice, signal?: AbortSignal) => Promise<string | undefined>;
} {
  const clock = new FakeClock();
  const host = new FakeHost({ clock });
  for (const name of ['sda', 'sdb', 'dm-0']) host.tree.blockDevice(`/dev/${name}`);
  return {
    host,
    clock,
    find: async (device, signal = SIGNAL) =>
      await findStableName(device, { files: host, clock, deviceTimeoutMs: 30_000 }, signal),
  };
}

test.each<[string, 'disk' | 'multipath', string | undefined, readonly string[]]>([
  ['a disk with an NAA designator of 16 bytes', 'disk', `3${NAA}`, [`scsi-3${NAA}`, `wwn-0x${NAA}`]],
  ['of 8 bytes', 'disk', '35000c500a0b1c2d3', ['scsi-35000c500a0b1c2d3', 'wwn-0x5000c500a0b1c2d3']],
  ['an EUI designator', 'disk', '20123456789abcdef', ['scsi-20123456789abcdef']],
  ['a T10 designator', 'disk', '1LIO-ORG_volume-1:0123', ['scsi-1LIO-ORG_volume-1:0123']],
  ['a T10 designator with what udev puts another character for', 'disk', '1LIO-ORG_a/../b', []],
  ['a disk that reports no WWID', 'disk', undefined, []],
  ['a map', 'multipath', `3${NAA}`, [`dm-uuid-mpath-3${NAA}`]],
])('stableNamesOf() has the names that hold the whole WWID: %s', (_what, kind, wwid, names) => {
  expect(stableNamesOf({ kind, wwid: wwid as Wwid | undefined })).toEqual(
    names.map((name) => `/dev/disk/by-id/${name}`),
  );
});

test('findStableName() gives the name that leads to the device, at once when it is there', async () => {
  const { host, clock, find } = openHost();
  host.kernel.udev.diskAppeared('sda', `naa.${NAA}`);
  host.kernel.udev.mapAppeared('dm-0', `3${NAA}`);
  expect([await find(DISK), await find(MAP), clock.now()]).toEqual([
    `/dev/disk/by-id/scsi-3${NAA}`,
    `/dev/disk/by-id/dm-uuid-mpath-3${NAA}`,
    0,
  ]);
});

test('findStableName() takes the second name where udev makes no other', async () => {
  const { host, find } = openHost();
  host.tree.symbolicLink(`/dev/disk/by-id/wwn-0x${NAA}`, '/dev/sda');
  expect(await find(DISK)).toBe(`/dev/disk/by-id/wwn-0x${NAA}`);
});

test('findStableName() waits for a busy udev, and no longer than it takes', async () => {
  const { host, clock, find } = openHost();
  host.kernel.udev.hold();
  host.kernel.udev.diskAppeared('sda', `naa.${NAA}`);
  const sleep = clock.sleep.bind(clock);
  clock.sleep = async (...args) => {
    await sleep(...args);
    if (clock.now() >= 12_000) host.kernel.udev.release();
  };
  expect(await find(DISK)).toBe(`/dev/disk/by-id/scsi-3${NAA}`);
  expect(clock.now()).toBeLessThan(12_100);
});

test.each<[string, (host: FakeHost) => void]>([
  ['there is no name', () => undefined],
  [
    'the name is that of another path',
    ({ kernel: { udev } }) => {
      udev.diskAppeared('sda', `naa.${NAA}`);
      udev.diskAppeared('sdb', `naa.${NAA}`);
    },
  ],
  [
    'the name leads to the map, and the guest gets the disk',
    ({ kernel: { udev }, tree }) => {
      udev.diskAppeared('sda', `naa.${NAA}`);
      for (const name of stableNamesOf(DISK)) tree.symbolicLink(name, '/dev/dm-0');
    },
  ],
  [
    'the name leads nowhere',
    ({ tree }) => {
      for (const name of stableNamesOf(DISK)) tree.symbolicLink(name, '/dev/sdz');
    },
  ],
  [
    'the device has the name of another WWID',
    ({ kernel: { udev } }) => {
      udev.diskAppeared('sda', `naa.6001405${'8'.repeat(25)}`);
    },
  ],
])('findStableName() gives none after 2 s of a udev that has nothing to do when %s (W-17)', async (_what, arrange) => {
  const { host, clock, find } = openHost();
  arrange(host);
  expect(await find(DISK)).toBeUndefined();
  expect([clock.now() >= 2_000, clock.now() < 2_100]).toEqual([true, true]);
});

test('findStableName() waits for a udev that is always at work as long as for a device', async () => {
  const { host, clock, find } = openHost();
  host.kernel.udev.hold();
  host.kernel.udev.diskAppeared('sda', `naa.${NAA}`);
  expect(await find(DISK)).toBeUndefined();
  expect([clock.now() >= 30_000, clock.now() < 30_100]).toEqual([true, true]);
});

test('findStableName() waits for no name of a device that reports no WWID, and ends with the signal', async () => {
  const { clock, find } = openHost();
  expect([await find({ ...DISK, wwid: undefined }), clock.now()]).toEqual([undefined, 0]);
  const abort = new AbortController();
  const sleep = clock.sleep.bind(clock);
  clock.sleep = async (...args) => {
    await sleep(...args);
    abort.abort();
  };
  await expect(find(DISK, abort.signal)).rejects.toMatchObject({ code: 'ABORTED' });
});
