// needs: libvirt
// releases: 13 12
// takes: 60 s
// limit: 900 s
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { volumeDriverContract } from '../../src/testing/index.js';
import { connectionInfo } from '../machine/connection-info.js';
import { Domain } from '../machine/domain.js';
import { openKernelWorld } from '../machine/kernel-world.js';
import { ISER_ADDRESS, LioTarget } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { OFFLOAD_IFACE, OffloadStandIn } from '../machine/offload-stand-in.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp } from '../machine/services.js';
import { volumeDriver } from '../machine/volume-driver.js';

/**
 * A transport that is neither tcp nor iser, end to end: what a card's iface does, on a real kernel without the card.
 */
const IQN = 'iqn.2026-11.org.example:offload';
const CONFIG = { iscsi_iface: OFFLOAD_IFACE, iscsi_iface_fallback: 'none' };
let standIn: OffloadStandIn | undefined;

before(async () => {
  standIn = await OffloadStandIn.install();
});
after(async () => {
  await standIn?.[Symbol.asyncDispose]();
});

test('attach() and detach() over the iface ocs0 recognise the session of an offload transport (W-1)', async () => {
  await libvirtdUp();
  await using one = await LioVolume.create({ name: 'offload-one' });
  await using two = await LioVolume.create({ name: 'offload-two' });
  using target = new LioTarget({
    iqn: IQN,
    luns: { 1: one, 10: two },
    portals: [{ address: ISER_ADDRESS, iser: true }],
  });
  await using guest = await Domain.start({ name: 'offload' });
  await using driver = volumeDriver(CONFIG);
  const domain = { kind: 'name', name: guest.name } as const;
  const first = connectionInfo(one, target, 1, [ISER_ADDRESS]);
  const second = connectionInfo(two, target, 10, [ISER_ADDRESS]);

  const { volume: firstVolume } = await driver.attach(domain, first, { dev: 'sdb', bus: 'scsi' });
  const { volume: secondVolume } = await driver.attach(domain, second, { dev: 'sdc', bus: 'scsi' });
  assert.deepEqual([firstVolume.paths[0].transport, firstVolume.paths[0].iface], ['ocs', OFFLOAD_IFACE]);
  assert.equal(secondVolume.paths[0].session, firstVolume.paths[0].session);
  assert.deepEqual([firstVolume.device.wwid, secondVolume.device.wwid], [one.wwid, two.wwid]);
  await guest.write(`ua-${two.name}`, 0xc5, 4096, 4096);
  assert.deepEqual(two.read(4096, 4096), Buffer.alloc(4096, 0xc5));
  assert.equal((await driver.detach(domain, first)).found, true);
  assert.equal((await driver.detach(domain, second)).found, true);
  assert.deepEqual(await guest.disks(), []);
});

volumeDriverContract(
  'LibvirtISCSIVolumeDriver on the kernel, over a stand-in for the offload transport ocs',
  { describe: (name, body) => void describe(name, body), it: (name, body) => void it(name, body) },
  async () => await openKernelWorld({ serves: 'iser', transport: 'ocs', iface: OFFLOAD_IFACE, config: CONFIG }),
);
