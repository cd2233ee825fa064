import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseLun } from '../../src/connection/lun.js';
import type { ScsiDisk } from '../../src/device/block-device.js';
import { LinuxBlockDevices } from '../../src/device/linux-block-devices.js';
import type { DeviceUsers } from '../../src/host/device-users.js';
import type { Session } from '../../src/initiator/session.js';
import { RecordedLog } from '../driver/recorded-world.js';
import { FakeHost } from '../fakes/fake-host.js';
import type { FakeSession } from '../fakes/fake-kernel.js';
import { FakeTarget } from '../fakes/fake-target.js';
import { madeSession } from './made-session.js';
import { TimedClock } from './timed-clock.js';

const SIGNAL = new AbortController().signal;
const LUN = parseLun(1);
const DEVICE_TIMEOUT_MS = 10_000;
const UNIT = { wwid: 'naa.6001405000000001', sizeBytes: 2 ** 30 };
const QEMU = { pid: 4711, name: 'qemu-system-x86' };

interface World {
  readonly clock: TimedClock;
  readonly host: FakeHost;
  readonly target: FakeTarget;
  readonly log: RecordedLog;
  readonly devices: LinuxBlockDevices;
  readonly session: Session;
  readonly login: FakeSession;
  /** When an attribute was written, and which. */
  readonly written: { readonly at: number; readonly path: string }[];
  /** What was asked about users. */
  readonly questions: string[];
}

/** A host that is logged in to a target without units. */
function open(): World {
  const clock = new TimedClock();
  const host = new FakeHost({ clock });
  const target = new FakeTarget({ iqn: 'iqn.2026-11.org.example:target-1', portals: [] });
  host.targets.push(target);
  const login = host.kernel.addSession({
    target: target.iqn,
    portal: { address: '192.0.2.10', port: 3260 },
    iface: 'default',
    transport: 'tcp',
  });
  const written: World['written'] = [];
  const write = host.writeAttribute.bind(host);
  host.writeAttribute = async (path, text, signal) => {
    written.push({ at: clock.now(), path });
    await write(path, text, signal);
  };
  const questions: string[] = [];
  const users: DeviceUsers = {
    usersOf: async (path, numbers, signal) => {
      questions.push([path, ...numbers].join(' '));
      return await host.usersOf(path, numbers, signal);
    },
  };
  const log = new RecordedLog();
  const devices = new LinuxBlockDevices({ files: host, clock, users, logger: log, deviceTimeoutMs: DEVICE_TIMEOUT_MS });
  return {
    clock,
    host,
    target,
    log,
    devices,
    session: madeSession({ id: login.id, host: login.id }),
    login,
    written,
    questions,
  };
}

/** The same, with the disk of LUN 1. */
async function openWithDisk(): Promise<World & { readonly disk: ScsiDisk; readonly unit: string }> {
  const world = open();
  world.target.units.set(LUN, UNIT);
  const disk = await world.devices.appear(world.session, LUN, SIGNAL);
  world.written.length = 0;
  return { ...world, disk, unit: `${world.session.devicePath}/target1:0:0/1:0:0:1` };
}

describe('appear()', () => {
  test('appear() returns at once a disk that the first scan shows', async () => {
    const { clock, devices, session, target, log } = open();
    target.units.set(LUN, UNIT);
    expect(await devices.appear(session, LUN, SIGNAL)).toMatchObject({
      path: '/dev/sda',
      wwid: '36001405000000001',
      sizeBytes: UNIT.sizeBytes,
    });
    expect([clock.now(), log.lines]).toEqual([
      0,
      [expect.objectContaining({ level: 'info', message: 'Disk appeared' })],
    ]);
  });
  test('appear() scans for its own LUN only', async () => {
    const { devices, session, target } = open();
    for (const lun of [0, 1, 10]) target.units.set(lun, UNIT);
    await devices.appear(session, LUN, SIGNAL);
    expect(await devices.countUnits(session)).toBe(1);
  });
  test('appear() sees a disk within 10 ms once the kernel shows it, however late', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5000 }), async (late) => {
        const { clock, devices, host, session, target } = open();
        target.units.set(LUN, UNIT);
        const show = host.writeAttribute.bind(host);
        let scans = 0;
        host.writeAttribute = async (path, text, signal) => {
          // the scan is over before the disk is whole
          if (scans++ === 0)
            clock.at(late, () => {
              host.kernel.write(path, text);
            });
          else if (clock.now() >= late) await show(path, text, signal);
        };
        await devices.appear(session, LUN, SIGNAL);
        expect(clock.now() - late).toBeLessThan(10);
      }),
      { numRuns: 15 },
    );
  });
  test('appear() sees a unit that the target shows late within 10 ms after a scan that could show it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5000 }), async (late) => {
        const { clock, devices, session, target, written } = open();
        clock.at(late, () => {
          target.units.set(LUN, UNIT);
        });
        await devices.appear(session, LUN, SIGNAL);
        const scan = written.find(({ at }) => at >= late);
        expect(clock.now() - (scan?.at ?? 0)).toBeLessThan(10);
      }),
      { numRuns: 15 },
    );
  });
  test('appear() scans again after pauses that double, as each scan asks the target', async () => {
    const { devices, session, written } = open();
    await expect(devices.appear(session, LUN, SIGNAL)).rejects.toMatchObject({ code: 'DEVICE_NOT_FOUND' });
    const pauses = written.slice(1, -1).map(({ at }, index) => Math.floor((at - (written[index]?.at ?? 0)) / 250));
    expect(pauses).toEqual([1, 2, 4, 8]);
  });
  test('appear() waits for the node in /dev', async () => {
    const { clock, devices, host, session, target } = open();
    target.units.set(LUN, UNIT);
    await host.writeAttribute('/sys/class/scsi_host/host1/scan', '0 0 1', SIGNAL);
    host.tree.remove('/dev/sda');
    clock.at(100, () => {
      host.tree.blockDevice('/dev/sda');
    });
    host.writeAttribute = async () => undefined;
    await devices.appear(session, LUN, SIGNAL);
    expect([clock.now() >= 100, clock.now() < 110]).toEqual([true, true]);
  });
  test('appear() rejects with DEVICE_NOT_FOUND and what to check, soon after its timeout', async () => {
    const { clock, devices, session } = open();
    await expect(devices.appear(session, LUN, SIGNAL)).rejects.toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      message:
        'Cannot find LUN 1 of iqn.2026-11.org.example:target-1 at 192.0.2.10:3260: the ' +
        'target shows no such disk after 10 s',
      hint: expect.stringContaining('/etc/iscsi/initiatorname.iscsi') as unknown,
      details: { target: 'iqn.2026-11.org.example:target-1', portal: '192.0.2.10:3260', lun: 1 },
    });
    expect([clock.now() >= DEVICE_TIMEOUT_MS, clock.now() < DEVICE_TIMEOUT_MS + 20]).toEqual([true, true]);
  });
  test('appear() rejects with ABORTED when the signal aborts while it waits', async () => {
    const { clock, devices, session } = open();
    const controller = new AbortController();
    clock.at(300, () => {
      controller.abort();
    });
    await expect(devices.appear(session, LUN, controller.signal)).rejects.toMatchObject({ code: 'ABORTED' });
    expect(clock.now()).toBeLessThan(310);
  });
});

describe('find(), findUnit() and countUnits()', () => {
  test('find(), findUnit() and countUnits() look, and neither scan nor wait', async () => {
    const { clock, devices, session, target, written } = open();
    target.units.set(LUN, UNIT);
    expect([
      await devices.find(session, LUN),
      await devices.findUnit(session, LUN),
      await devices.countUnits(session),
      written,
      clock.now(),
    ]).toEqual([undefined, undefined, 0, [], 0]);
  });
  test('find(), findUnit() and countUnits() see the disk', async () => {
    const { devices, session, disk } = await openWithDisk();
    expect([
      await devices.find(session, LUN),
      (await devices.findUnit(session, LUN))?.disk,
      await devices.countUnits(session),
    ]).toEqual([disk, disk, 1]);
  });
});

test('refresh() reports that the LUN is another volume now', async () => {
  const { devices, session, target, disk, written, unit } = await openWithDisk();
  target.units.set(LUN, { wwid: 'naa.6001405000000002', sizeBytes: 2 * 2 ** 30 });
  expect(await devices.refresh(session, LUN, disk, SIGNAL)).toMatchObject({
    path: disk.path,
    wwid: '36001405000000002',
    sizeBytes: 2 * 2 ** 30,
  });
  expect(written.map(({ path }) => path)).toEqual([`${unit}/rescan`]);
});

describe('usersOf()', () => {
  test('usersOf() finds nobody at once', async () => {
    const { clock, devices, session, disk } = await openWithDisk();
    expect([await devices.usersOf(session, disk, SIGNAL), clock.now()]).toEqual([[], 0]);
  });
  test('usersOf() names who has the disk, after 2 s in which a transient opener would close it', async () => {
    const { clock, devices, host, session, disk } = await openWithDisk();
    host.open(disk.path, QEMU);
    expect([await devices.usersOf(session, disk, SIGNAL), Math.floor(clock.now() / 100)]).toEqual([[QEMU], 20]);
  });
  test('usersOf() finds nobody within 10 ms once a transient opener closes the disk', async () => {
    const { clock, devices, host, session, disk } = await openWithDisk();
    clock.at(700, host.open(disk.path, { pid: 99, name: 'blkid' }));
    expect([await devices.usersOf(session, disk, SIGNAL), clock.now() < 710]).toEqual([[], true]);
  });
  test('usersOf() asks for the disk and each of its partitions by number', async () => {
    const { devices, host, session, disk, unit, questions } = await openWithDisk();
    host.tree.write(`${unit}/block/sda/sda1/dev`, '8:1\n');
    host.tree.write(`${unit}/block/sda/sda2/dev`, '8:2\n');
    host.tree.write(`${unit}/block/sda/queue/dev`, '9:9\n');
    await devices.usersOf(session, disk, SIGNAL);
    expect(questions).toEqual(['/dev/sda 8:0 8:1 8:2']);
  });
  test('usersOf() passes on an error of the look', async () => {
    const { devices, host, session, disk } = await openWithDisk();
    host.usersOf = () => Promise.reject(new RangeError('mine'));
    await expect(devices.usersOf(session, disk, SIGNAL)).rejects.toThrow('mine');
  });
});

describe('flush()', () => {
  test('flush() writes the disk out', async () => {
    const { devices, host, disk } = await openWithDisk();
    await devices.flush(disk, SIGNAL);
    expect(host.kernel.deeds.at(-1)).toBe('sync /dev/sda');
  });
  test('flush() rejects with FLUSH_FAILED and keeps a disk that cannot be written out', async () => {
    const { devices, host, session, disk } = await openWithDisk();
    host.kernel.unflushable.add(disk.path);
    await expect(devices.flush(disk, SIGNAL)).rejects.toMatchObject({
      code: 'FLUSH_FAILED',
      message: expect.stringContaining(disk.path) as unknown,
      cause: expect.objectContaining({ message: expect.stringContaining('EIO') as unknown }) as unknown,
      hint: expect.stringContaining('--force') as unknown,
    });
    expect(await devices.find(session, LUN)).toEqual(disk);
  });
  test('flush() rejects with ABORTED, not FLUSH_FAILED, when the signal aborts', async () => {
    const { devices, disk } = await openWithDisk();
    await expect(devices.flush(disk, AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('remove()', () => {
  test('remove() removes the unit from the kernel, and no other', async () => {
    const { devices, session, target, disk, written, unit } = await openWithDisk();
    target.units.set(10, UNIT);
    await devices.appear(session, parseLun(10), SIGNAL);
    written.length = 0;
    await devices.remove(session, disk.address, SIGNAL);
    expect([
      written.map(({ path }) => path),
      await devices.find(session, LUN),
      (await devices.find(session, parseLun(10)))?.path,
    ]).toEqual([[`${unit}/delete`], undefined, '/dev/sdb']);
  });
  test('remove() waits until the unit is gone, and sees that within 10 ms', async () => {
    const { clock, devices, host, session, disk, unit, log } = await openWithDisk();
    host.writeAttribute = async () => {
      clock.at(30_000, () => {
        host.tree.remove(unit);
      });
    }; // I/O in flight
    await devices.remove(session, disk.address, SIGNAL);
    expect([clock.now() >= 30_000, clock.now() < 30_010]).toEqual([true, true]);
    expect(log.lines.at(-1)).toMatchObject({ message: 'Disk removed', fields: { address: '1:0:0:1' } });
  });
  test('remove() rejects with CLEANUP_INCOMPLETE when the unit stays', async () => {
    const { devices, host, session, disk } = await openWithDisk();
    host.writeAttribute = async () => undefined;
    await expect(devices.remove(session, disk.address, SIGNAL)).rejects.toMatchObject({
      code: 'CLEANUP_INCOMPLETE',
      message: 'Cannot remove the disk at 1:0:0:1: the kernel still shows it after 40 s',
    });
  });
  test('remove() rejects with ABORTED when the signal aborts while it waits', async () => {
    const { clock, devices, host, session, disk } = await openWithDisk();
    const controller = new AbortController();
    host.writeAttribute = async () => {
      clock.at(100, () => {
        controller.abort();
      });
    };
    await expect(devices.remove(session, disk.address, controller.signal)).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
