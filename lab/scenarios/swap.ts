// needs: libvirt
// takes: 100 s
// limit: 900 s
import assert from 'node:assert/strict';
import { realpathSync } from 'node:fs';
import { isVolumeError } from '../../src/base/volume-error.js';
import type { VolumeDriver } from '../../src/driver/volume-driver.js';
import type { GuestDisk } from '../../src/guest/guest-disk.js';
import { parseGuestDisks } from '../../src/guest/parse-guest-disks.js';
import { connectionInfo } from '../machine/connection-info.js';
import { Domain } from '../machine/domain.js';
import { ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue, type Residue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp, virsh } from '../machine/services.js';
import { volumeDriver } from '../machine/volume-driver.js';

/**
 * A volume takes another one's place under a running guest, which goes on writing. The guest is persistent: its next
 * start must take the new one too.
 */
const MIB = 2 ** 20;
const CONFIG = { login_timeout_seconds: 10, device_timeout_seconds: 30 };
const ISER = { ...CONFIG, iscsi_iface: 'iser', iscsi_iface_fallback: 'none' };
const SDB = { dev: 'sdb', bus: 'scsi' };
/** 4 MiB of a pattern at each place. */
const LENGTH = 4 * MIB;

/** A volume on a target of its own. */
interface Exported {
  readonly volume: LioVolume;
  readonly target: LioTarget;
  readonly info: object;
}

let guest: Domain;
let domain: { readonly kind: 'name'; readonly name: string };
let clean: Residue;
const exported = new Map<string, Exported>();

async function publish(
  name: string,
  { sizeMiB = 64, iser = false }: { readonly sizeMiB?: number; readonly iser?: boolean } = {},
): Promise<void> {
  const address = iser ? ISER_ADDRESS : TCP_ADDRESSES[0];
  const volume = await LioVolume.create({ name: `swap-${name}`, sizeMiB });
  const target = new LioTarget({
    iqn: `iqn.2026-11.org.example:swap-${name}`,
    portals: [{ address, iser }],
    luns: { 1: volume },
  });
  exported.set(name, { volume, target, info: connectionInfo(volume, target, 1, [address]) });
}

function at(name: string): Exported {
  const one = exported.get(name);
  assert.ok(one !== undefined);
  return one;
}

before(async () => {
  await libvirtdUp();
  await publish('old');
  await publish('new');
  await publish('iser', { sizeMiB: 128, iser: true });
  await publish('small', { sizeMiB: 32 });
  guest = await Domain.start({ name: 'swap', persistent: true });
  domain = { kind: 'name', name: guest.name };
  clean = await readResidue();
});

after(async () => {
  await guest.stop();
  for (const { target, volume } of exported.values()) {
    target.remove();
    await volume.remove();
  }
});

async function disk(which: 'live' | 'config'): Promise<GuestDisk | undefined> {
  const disks = parseGuestDisks(await virsh('dumpxml', guest.name, ...(which === 'config' ? ['--inactive'] : [])));
  return disks.find(({ targetDev }) => targetDev === SDB.dev);
}

/** The device that a description means, whichever of its names it has. */
const deviceOf = (found: GuestDisk | undefined): string => realpathSync(found?.sourcePath ?? '');
const pattern = (byte: number): Buffer => Buffer.alloc(LENGTH, byte);

/** The guest's disk is on the old volume alone, and nothing of another is on the host. */
async function requireOnOld(driver: VolumeDriver, devicePath: string, since: Residue): Promise<void> {
  for (const which of ['live', 'config'] as const) {
    const found = await disk(which);
    assert.deepEqual([deviceOf(found), found?.mirror, found?.alias], [devicePath, undefined, 'ua-swap-old']);
  }
  assert.equal((await driver.find(at('old').info))?.device.path, devicePath);
  await requireNothingLeft(since);
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(isVolumeError(error), String(error));
  console.log(`${error.code}: ${error.message}`);
  return error.code;
}

test('swap() to a smaller volume, or aborted midway, leaves guest and host on the old volume', async () => {
  await using driver = volumeDriver(CONFIG);
  const { volume } = await driver.attach(domain, at('old').info, SDB);
  const attached = await readResidue();
  await guest.write('ua-swap-old', 0xa1, 0, LENGTH);
  assert.equal(await codeOf(driver.swap(domain, at('old').info, at('small').info)), 'RESIZE_FAILED');
  await requireOnOld(driver, volume.device.path, attached);

  const controller = new AbortController();
  assert.equal(
    await codeOf(
      driver.swap(domain, at('old').info, at('new').info, {
        signal: controller.signal,
        onProgress: () => {
          controller.abort();
        },
      }),
    ),
    'ABORTED',
  );
  await requireOnOld(driver, volume.device.path, attached);
  await guest.verify('ua-swap-old', 0xa1, 0, LENGTH);
});

test('swap() from TCP to TCP keeps all that the guest writes before, during and after it', async (context) => {
  await using driver = volumeDriver(CONFIG);
  const began = performance.now();
  let copied = 0;
  let writing: Promise<void> | undefined;
  let removing: Promise<string> | undefined;
  const { volume, ...swapped } = await driver.swap(domain, at('old').info, at('new').info, {
    onProgress: ({ copiedBytes }) => {
      copied = copiedBytes;
      writing ??= guest.write('ua-swap-old', 0xb2, 16 * MIB, LENGTH); // to what is being copied, or was
      removing ??= codeOf(driver.disconnect(at('new').info, { force: true })); // unlocked, and open in QEMU
    },
  });
  context.diagnostic(`swap of 64 MiB: ${Math.round(performance.now() - began)} ms`);
  await writing;
  assert.equal(await removing, 'DEVICE_IN_USE');
  assert.deepEqual(swapped, { guestResized: false, oldReleased: true, warnings: [] });
  assert.ok(copied >= 64 * MIB, `${copied} bytes`);
  await guest.write('ua-swap-old', 0xc3, 48 * MIB, LENGTH);
  await at('new').volume.flush();
  assert.deepEqual(
    [0, 16 * MIB, 48 * MIB].map((offset) => at('new').volume.read(offset, LENGTH)),
    [pattern(0xa1), pattern(0xb2), pattern(0xc3)],
  );
  const [live, stored] = [await disk('live'), await disk('config')];
  assert.deepEqual([live?.sourcePath, live?.alias, live?.serial], [volume.device.path, 'ua-swap-old', 'swap-old']);
  assert.deepEqual(
    [deviceOf(stored), stored?.alias, stored?.serial, stored?.xml.match(/<address[^>]*>/)?.[0]],
    [volume.device.path, 'ua-swap-new', 'swap-new', live?.xml.match(/<address[^>]*>/)?.[0]],
  );
  assert.deepEqual(
    (await readResidue()).filter((line) => line.startsWith('session')),
    [`session ${at('new').target.iqn} at ${TCP_ADDRESSES[0]} over default`],
  );
});

test('detach() of the old volume after swap() keeps the new one, and extend() tells the guest its size', async () => {
  await using driver = volumeDriver(CONFIG);
  assert.equal(await codeOf(driver.detach(domain, at('old').info)), 'DEVICE_MISMATCH');
  assert.equal((await disk('live'))?.targetDev, SDB.dev);
  // its alias is taken
  assert.equal(await codeOf(driver.attach(domain, at('old').info, { dev: 'sdc', bus: 'scsi' })), 'LIBVIRT_REFUSED');
  await at('new').volume.resize(96);
  assert.equal((await driver.extend(at('new').info, { domain })).guestResized, true);
  await guest.write('ua-swap-old', 0xd4, 80 * MIB, LENGTH);
  await guest.powerOff();
  await guest.powerOn();
  assert.deepEqual([(await disk('live'))?.alias, (await disk('live'))?.serial], ['ua-swap-new', 'swap-new']);
  await guest.verify('ua-swap-new', 0xd4, 80 * MIB, LENGTH);
});

test('swap() to a larger volume over iSER copies to its start, and detach() leaves nothing', async () => {
  await using driver = volumeDriver(ISER);
  const { volume, guestResized, oldReleased, warnings } = await driver.swap(domain, at('new').info, at('iser').info);
  assert.deepEqual([volume.paths[0].transport, oldReleased], ['iser', true]);
  console.log(`the running guest has all of the larger volume: ${guestResized}`);
  if (guestResized) {
    // libvirt 11.3
    assert.deepEqual(warnings, []);
    await guest.write('ua-swap-new', 0xe5, 120 * MIB, LENGTH);
  } else {
    // libvirt 9.0
    assert.match(
      warnings.join(),
      /^the guest sees the first 100663296 of the new volume's 134217728 bytes .*Cannot resize fixed-size raw disks/,
    );
    await assert.rejects(guest.write('ua-swap-new', 0xe5, 120 * MIB, LENGTH));
  }
  const [live, config] = [await disk('live'), await disk('config')];
  const slices = [live?.sliceBytes, config?.sliceBytes];
  assert.deepEqual([slices, deviceOf(config)], [[guestResized ? undefined : 96 * MIB, undefined], volume.device.path]);
  await at('iser').volume.flush();
  const offsets = [0, 16 * MIB, 48 * MIB, 80 * MIB, 120 * MIB];
  const expected = [0xa1, 0xb2, 0xc3, 0xd4, guestResized ? 0xe5 : 0];
  assert.deepEqual(
    offsets.map((offset) => at('iser').volume.read(offset, LENGTH)),
    expected.map((byte) => pattern(byte)),
  );
  assert.deepEqual(await driver.detach(domain, at('iser').info), { found: true, warnings: [] });
  assert.deepEqual([await disk('live'), await disk('config')], [undefined, undefined]);
  await requireNothingLeft(clean);
});
