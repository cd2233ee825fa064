// needs: libvirt
// takes: 100 s
// limit: 1800 s
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Secret } from '../../src/base/secret.js';
import { connectionInfo } from '../machine/connection-info.js';
import { LinuxDomain } from '../machine/linux-domain.js';
import { ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { verifyLuks, writeLuks } from '../machine/luks-image.js';
import { faultyPortal } from '../machine/portal-faults.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp, startMultipathd, stopMultipathd } from '../machine/services.js';
import { sessionStates } from '../machine/session-states.js';
import { volumeDriver } from '../machine/volume-driver.js';
import { waitFor } from '../machine/wait-for.js';

/**
 * A guest with an operating system gets a volume while it runs: it reads, it writes, it sees it grow, and it answers
 * the unplug.
 */
const IQN = 'iqn.2026-11.org.example:linux-guest';
const LUN = 1;
const LUKS_LUN = 2;
const MIB = 2 ** 20;
const BLOCK = 4096;
/** How long the guest may take for one thing: all of it is emulated twice over. */
const PATIENCE_MS = 180_000;
const CONFIG = { iscsi_iface_fallback: 'none', device_timeout_seconds: PATIENCE_MS / 1000 };
let sizeMiB = 64;
let volume: LioVolume;
let encrypted: LioVolume;
let target: LioTarget;
let guest: LinuxDomain;
/** What is to be undone of what was made so far, the last first. */
const undo: (() => Promise<void> | void)[] = [];

before(async () => {
  volume = await LioVolume.create({ name: 'linux-guest', sizeMiB });
  undo.unshift(() => volume.remove());
  encrypted = await LioVolume.create({ name: 'linux-guest-luks', sizeMiB: 16 });
  undo.unshift(() => encrypted.remove());
  const portals = [{ address: TCP_ADDRESSES[0] }, { address: TCP_ADDRESSES[1] }, { address: ISER_ADDRESS, iser: true }];
  target = new LioTarget({ iqn: IQN, luns: { [LUN]: volume, [LUKS_LUN]: encrypted }, portals });
  undo.unshift(() => {
    target.remove();
  });
  await libvirtdUp();
  guest = await LinuxDomain.boot('linux-guest', 900_000);
  undo.unshift(() => guest.stop());
});

after(async () => {
  for (const step of undo) await step();
});

const DOMAIN = { kind: 'name', name: 'linux-guest' } as const;

async function hasDevice(seen: string): Promise<boolean> {
  return (await guest.shell(`test -b /dev/${seen}`)).code === 0;
}

/** The device's first MiB, as the guest reads it past its own cache. */
async function requireBytes(seen: string, bytes: Buffer): Promise<void> {
  const sum = await guest.shell(`dd if=/dev/${seen} bs=1M count=1 iflag=direct 2>/dev/null | md5sum`);
  assert.equal(sum.stdout.split(' ')[0], createHash('md5').update(bytes).digest('hex'));
}

for (const { iface, address, bus, dev, seen, type, vendor } of [
  {
    iface: 'default',
    address: TCP_ADDRESSES[0],
    bus: 'virtio',
    dev: 'vdb',
    seen: 'vda',
    type: 'disk',
    vendor: undefined,
  },
  { iface: 'iser', address: ISER_ADDRESS, bus: 'virtio', dev: 'vdb', seen: 'vda', type: 'disk', vendor: undefined },
  { iface: 'default', address: TCP_ADDRESSES[0], bus: 'scsi', dev: 'sdb', seen: 'sda', type: 'disk', vendor: 'QEMU' },
  { iface: 'iser', address: ISER_ADDRESS, bus: 'scsi', dev: 'sdb', seen: 'sda', type: 'lun', vendor: 'LIO-ORG' },
]) {
  test(`Linux guest uses a volume over iface ${iface} as ${seen}, a ${type}, and sees it grow`, async () => {
    await using driver = volumeDriver({ ...CONFIG, iscsi_iface: iface });
    const connection = connectionInfo(volume, target, LUN, [address]);
    const bytes = Buffer.alloc(MIB, `what the target holds for ${iface} as ${seen} `);
    volume.write(0, bytes);
    const {
      volume: { paths },
    } = await driver.attach(DOMAIN, connection, { dev, bus, type });
    assert.equal(paths[0].iface, iface);
    await waitFor(`/dev/${seen} in the guest`, () => hasDevice(seen), PATIENCE_MS);
    // A lun shows the guest the storage's own name, a disk that of QEMU.
    if (vendor !== undefined)
      assert.equal((await guest.shell(`cat /sys/block/${seen}/device/vendor`)).stdout.trim(), vendor);

    await requireBytes(seen, bytes);
    const write = await guest.shell(
      `yes 'written by the guest over ${iface}' | head -c ${BLOCK} | dd of=/dev/${seen} bs=${BLOCK} seek=512 ` +
        'oflag=direct conv=fsync',
    );
    assert.equal(write.code, 0, write.stdout);
    await volume.flush();
    assert.deepEqual(volume.read(512 * BLOCK, BLOCK), Buffer.alloc(BLOCK, `written by the guest over ${iface}\n`));

    sizeMiB += 8;
    await volume.resize(sizeMiB);
    assert.equal((await driver.extend(connection, { domain: DOMAIN })).guestResized, true);
    await waitFor(
      `/dev/${seen} to have grown in the guest`,
      async () => Number((await guest.shell(`cat /sys/block/${seen}/size`)).stdout) * 512 === sizeMiB * MIB,
      PATIENCE_MS,
    );

    assert.equal((await driver.detach(DOMAIN, connection)).found, true);
    assert.deepEqual(await guest.disks(), []);
    assert.equal(await hasDevice(seen), false);
  });
}

test('Linux guest uses an encrypted volume as if it were a plain one', async () => {
  await using driver = volumeDriver({ ...CONFIG, iscsi_iface: 'iser' });
  const info = connectionInfo(encrypted, target, LUKS_LUN, [ISER_ADDRESS]) as { readonly data: object };
  const connection = { ...info, data: { ...info.data, encrypted: true } };
  const passphrase = 'a passphrase of the lab';
  const plain = Buffer.alloc(MIB, 'what nobody but the guest shall see ');
  await writeLuks(encrypted, passphrase, plain);
  await driver.attach(
    DOMAIN,
    connection,
    { dev: 'vdb', bus: 'virtio' },
    {
      encryption: { passphrase: new Secret(passphrase) },
    },
  );
  await waitFor('/dev/vda in the guest', () => hasDevice('vda'), PATIENCE_MS);
  await requireBytes('vda', plain);
  const write = await guest.shell(
    `yes ZZZ | tr -d '\\n' | head -c ${BLOCK} | dd of=/dev/vda bs=${BLOCK} seek=512 oflag=direct conv=fsync`,
  );
  assert.equal(write.code, 0, write.stdout);
  assert.equal((await driver.detach(DOMAIN, connection)).found, true);
  await encrypted.flush();
  assert.ok(!encrypted.read(0, 16 * MIB).includes('ZZZZ'.repeat(4)), 'the target keeps plain bytes');
  await verifyLuks(encrypted, passphrase, 'Z'.charCodeAt(0), 512 * BLOCK, BLOCK);
});

test('Linux guest that writes to a map goes on when a path is cut, and every block is on the target', async () => {
  await startMultipathd();
  try {
    await using driver = volumeDriver({ ...CONFIG, volume_use_multipath: true, volume_enforce_multipath: true });
    const connection = connectionInfo(volume, target, LUN, [TCP_ADDRESSES[0], TCP_ADDRESSES[1]]);
    const {
      volume: { device, paths },
    } = await driver.attach(DOMAIN, connection, { dev: 'vdb', bus: 'virtio' });
    assert.deepEqual([device.kind, paths.length], ['multipath', 2]);
    await waitFor('/dev/vda in the guest', () => hasDevice('vda'), PATIENCE_MS);
    await guest.shell('rm -f /stop /failed; echo 0 > /count');
    await guest.shell(
      `(n=0; while [ ! -e /stop ]; do yes "block $n" | head -c ${BLOCK} | dd of=/dev/vda bs=${BLOCK} seek=$n ` +
        'oflag=direct conv=fsync 2>/dev/null || echo $n >> /failed; n=$((n + 1)); echo $n > /count; done; echo done ' +
        '> /stop) > /dev/null 2>&1 &',
    );
    const written = async (): Promise<number> => Number((await guest.shell('cat /count')).stdout);
    await waitFor('the guest to write', async () => (await written()) > 2, PATIENCE_MS);
    await using fault = await faultyPortal(TCP_ADDRESSES[1], 'reject');
    await waitFor('the session to fail', () => sessionStates().includes('FAILED'), PATIENCE_MS);
    const atFault = await written();
    await waitFor('the guest to go on over the other path', async () => (await written()) > atFault + 3, PATIENCE_MS);
    await guest.shell('echo stop > /stop');
    await waitFor('the guest to stop', async () => (await guest.shell('grep -q done /stop')).code === 0, PATIENCE_MS);
    await fault[Symbol.asyncDispose]();
    assert.notEqual((await guest.shell('test -e /failed')).code, 0, 'a write failed in the guest');
    const blocks = await written();
    assert.equal((await driver.detach(DOMAIN, connection)).found, true);
    await volume.flush();
    for (let block = 0; block < blocks; block++)
      assert.deepEqual(volume.read(block * BLOCK, BLOCK), Buffer.alloc(BLOCK, `block ${block}\n`));
    console.log(`${blocks} blocks`);
  } finally {
    await stopMultipathd();
  }
});
