// needs: libvirt
// limit: 420 s
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connectionInfo } from '../guest/connection-info.js';
import { LinuxDomain } from '../guest/linux-domain.js';
import { ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from '../guest/lio-target.js';
import { LioVolume } from '../guest/lio-volume.js';
import { after, before, test } from '../guest/scenario.js';
import { libvirtdUp } from '../guest/services.js';
import { volumeDriver } from '../guest/volume-driver.js';
import { waitFor } from '../guest/wait-for.js';

/** A guest with an operating system gets a volume while it runs: it reads, it writes, and it answers the unplug. */
const IQN = 'iqn.2026-11.org.example:linux-guest';
const LUN = 1;
const MIB = 2 ** 20;
let volume: LioVolume;
let target: LioTarget;
let guest: LinuxDomain;

before(async () => {
  volume = await LioVolume.create({ name: 'linux-guest' });
  target = new LioTarget({ iqn: IQN, luns: { [LUN]: volume }, portals: [{ address: TCP_ADDRESSES[0] }, { address: ISER_ADDRESS, iser: true }] });
  await libvirtdUp();
  guest = await LinuxDomain.boot('linux-guest', 240_000);
});

after(async () => {
  await guest.stop();
  target.remove();
  await volume.remove();
});

for (const { iface, address, bus, dev, seen } of [
  { iface: 'default', address: TCP_ADDRESSES[0], bus: 'virtio', dev: 'vdb', seen: 'vda' },
  { iface: 'iser', address: ISER_ADDRESS, bus: 'virtio', dev: 'vdb', seen: 'vda' },
  { iface: 'default', address: TCP_ADDRESSES[0], bus: 'scsi', dev: 'sdb', seen: 'sda' },
]) {
  test(`a Linux guest reads and writes a volume over iface ${iface} as ${seen}, and lets it go`, async () => {
    await using driver = volumeDriver({ iscsi_iface: iface, iscsi_iface_fallback: 'none' });
    const connection = connectionInfo(volume, target, LUN, [address]);
    const domain = { kind: 'name', name: guest.name } as const;
    const bytes = Buffer.alloc(MIB, `what the target holds for ${iface} as ${seen} `);
    volume.write(0, bytes);
    const { volume: { paths } } = await driver.attach(domain, connection, { dev, bus });
    assert.equal(paths[0].iface, iface);
    await waitFor(`/dev/${seen} in the guest`, async () => (await guest.shell(`test -b /dev/${seen}`)).code === 0);

    const sum = await guest.shell(`dd if=/dev/${seen} bs=1M count=1 iflag=direct 2>/dev/null | md5sum`);
    assert.equal(sum.stdout.split(' ')[0], createHash('md5').update(bytes).digest('hex'));
    const write = await guest.shell(`yes 'written by the guest over ${iface}' | head -c 4096 | dd of=/dev/${seen} bs=4096 seek=512 oflag=direct conv=fsync`);
    assert.equal(write.code, 0, write.stdout);
    await volume.flush();
    assert.deepEqual(volume.read(512 * 4096, 4096), Buffer.alloc(4096, `written by the guest over ${iface}\n`));

    assert.equal((await driver.detach(domain, connection)).found, true);
    assert.deepEqual(await guest.disks(), []);
    assert.notEqual((await guest.shell(`test -b /dev/${seen}`)).code, 0);
  });
}
