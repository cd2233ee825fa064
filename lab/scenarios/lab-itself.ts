// needs: libvirt
// takes: 18 s
// limit: 900 s
import assert from 'node:assert/strict';
import { after, before, test } from '../machine/scenario.js';
import { run } from '../machine/commands.js';
import { nodesFolder } from '../machine/database-root.js';
import { diskOf, readDevice } from '../machine/disks.js';
import { ISER_ADDRESS, LioTarget } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { compareResidue, readResidue } from '../machine/residue.js';
import { Domain } from '../machine/domain.js';
import { libvirtdUp, virsh } from '../machine/services.js';

const IQN = 'iqn.2026-11.org.example:lab-itself';
let volume: LioVolume;
let target: LioTarget;

before(async () => {
  volume = await LioVolume.create({ name: 'lab-itself' });
  target = new LioTarget({
    iqn: IQN,
    luns: { 3: volume },
    portals: [{ address: '10.99.1.1' }, { address: ISER_ADDRESS, iser: true }],
  });
});

after(async () => {
  target.remove();
  await volume.remove();
});

for (const [iface, address] of [
  ['default', '10.99.1.1'],
  ['iser', ISER_ADDRESS],
] as const) {
  test(`LioTarget is reached over iface ${iface}, and its disk has the volume's WWN and bytes`, async () => {
    const node = ['-m', 'node', '-T', IQN, '-p', `${address}:3260`, '-I', iface];
    volume.write(4096, Buffer.from(`bytes for ${iface}`.padEnd(20)));
    await run('iscsiadm', [...node, '-o', 'new']);
    await run('iscsiadm', [...node, '--login']);
    const disk = await diskOf(IQN, 3);
    assert.equal(disk.transport, iface === 'default' ? 'tcp' : iface);
    assert.equal(disk.wwid, volume.wwid);
    assert.equal((await readDevice(disk.device, 4096, 20)).toString().trimEnd(), `bytes for ${iface}`);
    await run('iscsiadm', [...node, '--logout']);
    await run('iscsiadm', [...node, '-o', 'delete']);
  });
}

test('readResidue() sees a session, its record and its disk', async () => {
  const node = ['-m', 'node', '-T', IQN, '-p', '10.99.1.1:3260', '-I', 'default'];
  const before = await readResidue();
  await run('iscsiadm', [...node, '-o', 'new']);
  await run('iscsiadm', [...node, '--login']);
  const { name } = await diskOf(IQN, 3);
  const during = compareResidue(before, await readResidue());
  assert.ok(during.includes(`+ session ${IQN} at 10.99.1.1 over default`), during.join('\n'));
  assert.ok(during.includes(`+ disk ${name}`), during.join('\n'));
  assert.ok(
    during.some((line) => line.startsWith(`+ file ${nodesFolder()}/${IQN}/10.99.1.1`)),
    during.join('\n'),
  );
  await run('iscsiadm', [...node, '--logout']);
  await run('iscsiadm', [...node, '-o', 'delete']);
  assert.deepEqual(compareResidue(before, await readResidue()), []);
});

test("Domain.write() through the guest's own device reaches the target", async () => {
  await libvirtdUp();
  const node = ['-m', 'node', '-T', IQN, '-p', `${ISER_ADDRESS}:3260`, '-I', 'iser'];
  await run('iscsiadm', [...node, '-o', 'new']);
  await run('iscsiadm', [...node, '--login']);
  const { device } = await diskOf(IQN, 3);
  const guest = await Domain.start({ name: 'lab-itself' });
  try {
    await virsh(
      'attach-disk',
      guest.name,
      device,
      'sdb',
      '--targetbus',
      'scsi',
      '--sourcetype',
      'block',
      '--subdriver',
      'raw',
      '--cache',
      'none',
    );
    const alias = /<target dev='sdb'[^]*?<alias name='([^']+)'/.exec(await guest.xml())?.[1] ?? '';
    await guest.write(alias, 0xab, 8192, 4096);
    await guest.verify(alias, 0xab, 8192, 4096);
    await assert.rejects(guest.verify(alias, 0xcd, 8192, 4096));
    assert.deepEqual(volume.read(8192, 4096), Buffer.alloc(4096, 0xab));
    await virsh('detach-disk', guest.name, 'sdb');
    assert.deepEqual(await guest.disks(), []);
  } finally {
    await guest.stop();
    await run('iscsiadm', [...node, '--logout']);
    await run('iscsiadm', [...node, '-o', 'delete']);
  }
});
