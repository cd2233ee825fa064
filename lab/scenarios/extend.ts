// needs: libvirt
// limit: 900 s
import assert from 'node:assert/strict';
import { isVolumeError } from '../../src/base/volume-error.js';
import { connectionInfo } from '../machine/connection-info.js';
import { readDevice } from '../machine/disks.js';
import { Domain } from '../machine/domain.js';
import { LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { faultyPortal } from '../machine/portal-faults.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp, startMultipathd, stopMultipathd, virsh } from '../machine/services.js';
import { sessionStates } from '../machine/session-states.js';
import { volumeDriver } from '../machine/volume-driver.js';
import { waitFor } from '../machine/wait-for.js';

/** A volume that grows at the target while the host, and a guest, use it. */
const MIB = 2 ** 20;
const CONFIG = { login_timeout_seconds: 6, device_timeout_seconds: 30 };
const MULTIPATH = { ...CONFIG, volume_use_multipath: true, volume_enforce_multipath: true };
let volume: LioVolume;
let target: LioTarget;
let onePath: object;
let fourPaths: object;
let guest: Domain;

before(async () => {
  volume = await LioVolume.create({ name: 'extend', sizeMiB: 64 });
  target = new LioTarget({
    iqn: 'iqn.2026-11.org.example:extend',
    luns: { 2: volume },
    portals: TCP_ADDRESSES.map((address) => ({ address })),
  });
  onePath = connectionInfo(volume, target, 2, [TCP_ADDRESSES[0]]);
  fourPaths = connectionInfo(volume, target, 2, TCP_ADDRESSES);
  await libvirtdUp();
  guest = await Domain.start({ name: 'extend' });
});

after(async () => {
  await stopMultipathd();
  await guest.stop();
  target.remove();
  await volume.remove();
});

const mib = (size: number): number => size * MIB;

/** The size of the guest's disk, as its QEMU has it. */
async function capacity(dev: string): Promise<number> {
  return Number(/^Capacity:\s+(\d+)/m.exec(await virsh('domblkinfo', guest.name, dev))?.[1]);
}

test('extend() over one path shows the new end, starts no process, and refuses a shrunk volume', async () => {
  await using driver = volumeDriver(CONFIG);
  const { device } = await driver.connect(onePath);
  await volume.resize(96);
  volume.write(90 * MIB, Buffer.alloc(4096, 0x3c));
  const before = driver.commands.ran.length;
  const extended = await driver.extend(onePath);
  assert.deepEqual(
    [extended.device.path, extended.oldSizeBytes, extended.newSizeBytes, extended.warnings],
    [device.path, mib(64), mib(96), []],
  );
  assert.equal(driver.commands.ran.length, before);
  assert.deepEqual(await readDevice(device.path, 90 * MIB, 4096), Buffer.alloc(4096, 0x3c));
  await volume.resize(80);
  const error: unknown = await driver.extend(onePath).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(
    isVolumeError(error, 'RESIZE_FAILED') && error.message.includes(`${mib(96)} bytes and has ${mib(80)}`),
    String(error),
  );
  await volume.resize(96);
  await driver.disconnect(onePath);
});

test('extend() tells the running guest, which can then write beyond the old end', async () => {
  await using driver = volumeDriver(CONFIG);
  const domain = { kind: 'name', name: guest.name } as const;
  await driver.attach(domain, onePath, { dev: 'sdb', bus: 'scsi' });
  await volume.resize(128);
  assert.equal(await capacity('sdb'), 96 * MIB);
  await assert.rejects(guest.write(`ua-${volume.name}`, 0xa1, 120 * MIB, 4096));
  const { guestResized, newSizeBytes } = await driver.extend(onePath, { domain });
  assert.deepEqual([guestResized, newSizeBytes, await capacity('sdb')], [true, mib(128), 128 * MIB]);
  await guest.write(`ua-${volume.name}`, 0xa1, 120 * MIB, 4096);
  await driver.detach(domain, onePath);
});

test('extend() of a map grows all four paths, the map and the guest, with one process', async (context) => {
  await startMultipathd();
  await using driver = volumeDriver(MULTIPATH);
  const domain = { kind: 'name', name: guest.name } as const;
  const { volume: attached } = await driver.attach(domain, fourPaths, { dev: 'sdb', bus: 'scsi' });
  await volume.resize(160);
  const before = driver.commands.ran.length;
  const began = performance.now();
  const { device, warnings } = await driver.extend(fourPaths, { domain });
  context.diagnostic(`extend of four paths and a guest: ${Math.round(performance.now() - began)} ms`);
  assert.deepEqual([device.path, device.sizeBytes, warnings], [attached.device.path, mib(160), []]);
  assert.deepEqual(device.kind === 'multipath' ? device.members.map(({ sizeBytes }) => sizeBytes) : [], [
    mib(160),
    mib(160),
    mib(160),
    mib(160),
  ]);
  assert.deepEqual(
    driver.commands.ran.slice(before).map(({ args }) => args.slice(0, 2).join(' ')),
    ['resize map'],
  );
  assert.equal(await capacity('sdb'), 160 * MIB);
  await guest.write(`ua-${volume.name}`, 0xb2, 150 * MIB, 4096);
  await driver.detach(domain, fourPaths);
});

test('extend() with a path down grows the others, and connect() restores it at full size', async (context) => {
  await using driver = volumeDriver(MULTIPATH);
  assert.equal((await driver.connect(fourPaths)).paths.length, 4);
  const fault = await faultyPortal(TCP_ADDRESSES[2], 'drop');
  await waitFor('a session that is down', () => sessionStates().includes('FAILED'), 60_000);
  await volume.resize(192);
  const began = performance.now();
  const { device, warnings } = await driver.extend(fourPaths);
  context.diagnostic(`extend with a path down: ${Math.round(performance.now() - began)} ms`);
  assert.deepEqual([device.sizeBytes, device.kind === 'multipath' ? device.members.length : 0], [mib(192), 3]);
  assert.match(warnings.join(), /^10\.99\.3\.1:3260 over default: \/dev\/sd[a-z] is down and left the map/);
  await fault[Symbol.asyncDispose]();
  await waitFor(
    'the session to be back',
    () => sessionStates().length === 4 && sessionStates().every((state) => state === 'LOGGED_IN'),
    60_000,
  );
  const again = await driver.connect(fourPaths);
  assert.deepEqual([again.paths.length, again.device.sizeBytes], [4, mib(192)]);
  assert.deepEqual(again.device.kind === 'multipath' ? again.device.members.map(({ sizeBytes }) => sizeBytes) : [], [
    mib(192),
    mib(192),
    mib(192),
    mib(192),
  ]);
  await driver.disconnect(fourPaths);
});
