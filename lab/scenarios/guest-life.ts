// needs: libvirt
// takes: 125 s
// limit: 900 s
import assert from 'node:assert/strict';
import { realpathSync } from 'node:fs';
import { isVolumeError, type VolumeErrorCode, type VolumeError } from '../../src/base/volume-error.js';
import type { GuestDisk } from '../../src/guest/guest-disk.js';
import { tryRun } from '../machine/commands.js';
import { connectionInfo } from '../machine/connection-info.js';
import { Domain } from '../machine/domain.js';
import { ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp, virsh } from '../machine/services.js';
import { type LabDriver, volumeDriver } from '../machine/volume-driver.js';

/**
 * A volume comes to a guest that runs, is paused or is shut off, and leaves it; as a disk, a cdrom and a lun, on each
 * bus. The guests have no operating system: a SCSI disk leaves them all the same, a virtio disk only when they end.
 * What a guest with a system does, linux-guest.ts shows.
 */
const LUN = 4;
const SECOND_LUN = 5;
const BLOCK = 4096;
const SDB = { dev: 'sdb', bus: 'scsi', unit: 3 };
let volume: LioVolume;
let second: LioVolume;
let target: LioTarget;
let stored: Domain;
let transient: Domain;

before(async () => {
  volume = await LioVolume.create({ name: 'guest-life' });
  second = await LioVolume.create({ name: 'guest-life-second' });
  target = new LioTarget({
    iqn: 'iqn.2026-11.org.example:guest-life',
    luns: { [LUN]: volume, [SECOND_LUN]: second },
    portals: [{ address: TCP_ADDRESSES[0] }, { address: ISER_ADDRESS, iser: true }],
  });
  await libvirtdUp();
  stored = await Domain.start({ name: 'guest-life', persistent: true });
  transient = await Domain.start({ name: 'guest-life-transient' });
});

after(async () => {
  await stored.stop();
  await transient.stop();
  target.remove();
  await volume.remove();
  await second.remove();
});

interface Way {
  readonly iface: string;
  readonly address: string;
}

const TCP: Way = { iface: 'default', address: TCP_ADDRESSES[0] };
const ISER: Way = { iface: 'iser', address: ISER_ADDRESS };

const refOf = ({ name }: Domain): { readonly kind: 'name'; readonly name: string } => ({ kind: 'name', name });
const infoFor = ({ address }: Way): object => connectionInfo(volume, target, LUN, [address]);
const infoOfSecond = (): object => connectionInfo(second, target, SECOND_LUN, [ISER_ADDRESS]);
const open = ({ iface }: Way, more = {}): LabDriver =>
  volumeDriver({ iscsi_iface: iface, iscsi_iface_fallback: 'none', ...more });

/** What the guest has of the volume, now or at its next start. */
async function disksOf(guest: Domain, which: 'live' | 'config'): Promise<readonly GuestDisk[]> {
  return (await guest.diskElements(which)).filter(({ alias }) => alias === `ua-${volume.name}`);
}

/** The guest's disk is the volume: it reads what the target holds, and the target holds what it writes. */
async function requireData(guest: Domain, pattern: number, device = `ua-${volume.name}`): Promise<void> {
  volume.write(0, Buffer.alloc(BLOCK, pattern));
  await guest.verify(device, pattern, 0, BLOCK);
  await guest.write(device, pattern + 1, BLOCK, BLOCK);
  await volume.flush();
  assert.deepEqual(volume.read(BLOCK, BLOCK), Buffer.alloc(BLOCK, pattern + 1));
}

async function failure(code: VolumeErrorCode, call: Promise<unknown>): Promise<VolumeError> {
  const error: unknown = await call.then(
    () => 'it was done',
    (reason: unknown) => reason,
  );
  assert.ok(isVolumeError(error, code), String(error));
  return error;
}

interface Life {
  readonly state: string;
  readonly guest: () => Domain;
  readonly enter: (guest: Domain) => Promise<void>;
  readonly leave: (guest: Domain) => Promise<void>;
  readonly live: number;
  readonly config: number;
}

const nothing = async (): Promise<void> => undefined;
const LIVES: readonly Life[] = [
  { state: 'that runs', guest: () => stored, enter: nothing, leave: nothing, live: 1, config: 1 },
  {
    state: 'that is paused',
    guest: () => stored,
    enter: (guest) => guest.suspend(),
    leave: (guest) => guest.resume(),
    live: 1,
    config: 1,
  },
  { state: 'without a stored description', guest: () => transient, enter: nothing, leave: nothing, live: 1, config: 0 },
];

for (const { state, guest: guestOf, enter, leave, live, config } of LIVES) {
  test(`attach() and detach() of a guest ${state}`, async () => {
    await using driver = open(TCP);
    const guest = guestOf();
    await enter(guest);
    const since = await readResidue();
    const {
      volume: { device },
    } = await driver.attach(refOf(guest), infoFor(TCP), SDB);
    const now = await disksOf(guest, 'live');
    // Of a guest without a stored description, libvirt gives that of the running one for both.
    const next = config === 0 ? [] : await disksOf(guest, 'config');
    assert.deepEqual([now.length, next.length], [live, config]);
    for (const { sourcePath = '', targetDev, bus, xml } of [...now, ...next]) {
      assert.deepEqual([realpathSync(sourcePath), targetDev, bus], [realpathSync(device.path), 'sdb', 'scsi']);
      assert.match(xml, /<address type='drive' controller='0' bus='0' target='0' unit='3'\/>/);
    }
    await requireData(guest, 0xa0);
    assert.deepEqual(await driver.detach(refOf(guest), infoFor(TCP)), { found: true, warnings: [] });
    assert.deepEqual([await guest.diskElements('live'), await guest.diskElements('config')], [[], []]);
    await requireNothingLeft(since);
    await leave(guest);
  });
}

test('attach() to a second guest is DEVICE_IN_USE while a running guest has the volume', async () => {
  await using driver = open(TCP);
  const since = await readResidue();
  const { volume: attached } = await driver.attach(refOf(stored), infoFor(TCP), SDB);
  const held = await readResidue();
  const error = await failure('DEVICE_IN_USE', driver.attach(refOf(transient), infoFor(TCP), SDB));
  assert.match(error.message, new RegExp(`^Cannot attach ${attached.device.path}: qemu-`));
  assert.deepEqual(await transient.diskElements('live'), []);
  assert.deepEqual(await readResidue(), held);
  await requireData(stored, 0xa4);
  assert.deepEqual(await driver.detach(refOf(stored), infoFor(TCP)), { found: true, warnings: [] });
  await requireNothingLeft(since);
});

test('attach() repeated succeeds with a warning, and the guest has the disk once', async () => {
  await using driver = open(TCP);
  const since = await readResidue();
  for (const guest of [stored, transient]) {
    const first = await driver.attach(refOf(guest), infoFor(TCP), SDB);
    const again = await driver.attach(refOf(guest), infoFor(TCP), SDB);
    assert.deepEqual(again.volume.warnings, ['the guest had it already']);
    assert.deepEqual([again.diskXml, again.volume.device], [first.diskXml, first.volume.device]);
    assert.deepEqual((await disksOf(guest, 'live')).length, 1);
    await requireData(guest, 0xa8);
    assert.deepEqual(await driver.detach(refOf(guest), infoFor(TCP)), { found: true, warnings: [] });
  }
  await stored.powerOff();
  for (const warnings of [[], ['the guest had it already']])
    assert.deepEqual((await driver.attach(refOf(stored), infoFor(TCP), SDB)).volume.warnings, warnings);
  assert.deepEqual((await disksOf(stored, 'config')).length, 1);
  assert.deepEqual(await driver.detach(refOf(stored), infoFor(TCP)), { found: true, warnings: [] });
  await stored.powerOn();
  await requireNothingLeft(since);
});

for (const way of [TCP, ISER]) {
  test(`attach() of the type lun gives the guest the storage's own SCSI answers, over iface ${way.iface}`, async () => {
    await using driver = open(way);
    const since = await readResidue();
    const {
      volume: { paths },
    } = await driver.attach(refOf(stored), infoFor(way), { dev: 'sdc', bus: 'scsi', type: 'lun', unit: 5 });
    assert.equal(paths[0].iface, way.iface);
    assert.deepEqual(
      (await disksOf(stored, 'live')).map(({ device, targetDev }) => [device, targetDev]),
      [['lun', 'sdc']],
    );
    assert.match(
      await virsh('qemu-monitor-command', stored.name, '--hmp', 'info qtree'),
      /dev: scsi-block, id "ua-guest-life"/,
    );
    await requireData(stored, 0xc0);
    assert.deepEqual(await driver.detach(refOf(stored), infoFor(way)), { found: true, warnings: [] });
    await requireNothingLeft(since);
  });
}

test('attach() of a cdrom and a sata disk is for a shut-off guest, and detach() too', async () => {
  await using overTcp = open(TCP);
  await using overIser = open(ISER);
  await stored.powerOff();
  const since = await readResidue();
  await overTcp.attach(refOf(stored), infoFor(TCP), { dev: 'sdd', bus: 'sata', type: 'cdrom' });
  await overIser.attach(refOf(stored), infoOfSecond(), { dev: 'sde', bus: 'sata' });
  volume.write(0, Buffer.alloc(BLOCK, 0xd0));
  await stored.powerOn();
  await stored.verify(`ua-${volume.name}`, 0xd0, 0, BLOCK);
  await assert.rejects(stored.write(`ua-${volume.name}`, 0xd1, 0, BLOCK), /read-only/);
  await stored.write(`ua-${second.name}`, 0xd2, 0, BLOCK);
  for (const detach of [
    () => overTcp.detach(refOf(stored), infoFor(TCP)),
    () => overIser.detach(refOf(stored), infoOfSecond()),
  ]) {
    const { message, hint = '', cause } = await failure('LIBVIRT_REFUSED', detach());
    console.log(`${message}; ${hint}; ${String(cause)}`);
    assert.match(hint, /Shut the guest down and detach again/);
  }
  assert.deepEqual([(await stored.diskElements('live')).length, await stored.diskElements('config')], [2, []]);
  await stored.powerOff();
  assert.deepEqual(await overTcp.detach(refOf(stored), infoFor(TCP)), { found: true, warnings: [] });
  assert.deepEqual(await overIser.detach(refOf(stored), infoOfSecond()), { found: true, warnings: [] });
  await requireNothingLeft(since);
  await second.flush();
  assert.deepEqual(second.read(0, BLOCK), Buffer.alloc(BLOCK, 0xd2));
  await stored.powerOn();
});

test('attach() of a sata disk to a running guest is refused before a login, as QEMU would after it', async () => {
  await using driver = open(TCP);
  const { message } = await failure(
    'DISK_INFO_INVALID',
    driver.attach(refOf(stored), infoFor(TCP), { dev: 'sdd', bus: 'sata' }),
  );
  assert.match(message, /guest "guest-life" runs/);
  assert.deepEqual(driver.commands.ran, []);
  const refused = await tryRun('virsh', [
    '-c',
    'qemu:///system',
    'attach-disk',
    stored.name,
    volume.file,
    'sdd',
    '--targetbus',
    'sata',
  ]);
  assert.match(refused.stderr, /does not support hotplugging|cannot be hotplugged/);
});

test('attach() and detach() of a scsi cdrom on a running guest add and remove a drive, no media', async () => {
  await using driver = open(TCP);
  await virsh('attach-disk', transient.name, second.file, 'sda', '--targetbus', 'scsi', '--type', 'cdrom');
  const since = await readResidue();
  const { message } = await failure(
    'DISK_INFO_INVALID',
    driver.attach(refOf(transient), infoFor(TCP), { dev: 'sda', bus: 'scsi', type: 'cdrom' }),
  );
  assert.match(message, /"sda", a drive that the guest has/);
  await requireNothingLeft(since);
  await driver.attach(refOf(transient), infoFor(TCP), { dev: 'sdd', bus: 'scsi', type: 'cdrom' });
  volume.write(0, Buffer.alloc(BLOCK, 0xd4));
  await transient.verify(`ua-${volume.name}`, 0xd4, 0, BLOCK);
  assert.deepEqual(await driver.detach(refOf(transient), infoFor(TCP)), { found: true, warnings: [] });
  await requireNothingLeft(since);
  assert.deepEqual(
    (await transient.diskElements('live')).map(({ targetDev, sourcePath }) => [targetDev, sourcePath]),
    [['sda', second.file]],
  );
  await virsh('detach-disk', transient.name, 'sda');
});

test('attach() to a target that is taken for the next start alone is refused and rolled back', async () => {
  const since = await readResidue();
  await virsh('attach-disk', stored.name, volume.file, 'sdb', '--targetbus', 'scsi', '--config');
  try {
    await using driver = open(TCP);
    const error = await failure(
      'LIBVIRT_REFUSED',
      driver.attach(refOf(stored), infoFor(TCP), { dev: 'sdb', bus: 'scsi' }),
    );
    assert.match(error.message, /target sdb already exists/);
    assert.deepEqual(
      [await stored.diskElements('live'), (await stored.diskElements('config')).map(({ sourcePath }) => sourcePath)],
      [[], [volume.file]],
    );
    await requireNothingLeft(since);
  } finally {
    await virsh('detach-disk', stored.name, 'sdb', '--config');
  }
});

test('detach() of a virtio disk from a paused guest is DETACH_UNCONFIRMED, and the guest keeps it', async () => {
  await using driver = open(ISER);
  const since = await readResidue();
  await driver.attach(refOf(stored), infoFor(ISER), { dev: 'vdb', bus: 'virtio' });
  await stored.suspend();
  await using impatient = open(ISER, { device_timeout_seconds: 6 });
  const error = await failure('DETACH_UNCONFIRMED', impatient.detach(refOf(stored), infoFor(ISER)));
  assert.match(error.hint ?? '', /The volume stays connected/);
  await stored.resume();
  assert.deepEqual([(await disksOf(stored, 'live')).length, await disksOf(stored, 'config')], [1, []]);
  await failure('DEVICE_IN_USE', driver.disconnect(infoFor(ISER)));
  await requireData(stored, 0xe0, `ua-${volume.name}/virtio-backend`);
  await stored.powerOff();
  assert.deepEqual(await driver.detach(refOf(stored), infoFor(ISER)), { found: true, warnings: [] });
  await stored.powerOn();
  await requireNothingLeft(since);
});
