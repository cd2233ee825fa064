// takes: 50 s
// limit: 900 s
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { AdministratorsRecords } from '../machine/administrators-records.js';
import { run } from '../machine/commands.js';
import { connectionInfo } from '../machine/connection-info.js';
import { LioTarget } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { makeIface } from '../machine/make-iface.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { compareResidue, readResidue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { NICS, type Nic, TwoNics } from '../machine/two-nics.js';
import { startMultipathd, stopMultipathd } from '../machine/services.js';
import { volumeDriver } from '../machine/volume-driver.js';

/** A host with two NICs, both of which reach the portal: the iface says over which one a volume comes. */
const IQN = 'iqn.2026-11.org.example:two-nics';
const MIB = 2 ** 20;
/** ARP, neighbour discovery and the like. */
const NOISE = 16 * 1024;
const cleanUps: (() => unknown)[] = [];
let net: TwoNics;
let info: object;

before(async () => {
  net = await TwoNics.lay();
  cleanUps.push(() => net[Symbol.asyncDispose]());
  const volume = await LioVolume.create({ name: 'two-nics' });
  cleanUps.push(() => volume.remove());
  const target = new LioTarget({
    iqn: IQN,
    luns: { 1: volume },
    portals: [{ address: net.portal, namespace: net.namespace }],
  });
  cleanUps.push(() => {
    target.remove();
  });
  info = connectionInfo(volume, target, 1, [net.portal]);
  const ifaces = {
    'storage-nic0': { net_ifacename: 'nic0' },
    'storage-nic1': { net_ifacename: 'nic1' },
    'by-mac': { hwaddress: net.macOf('nic1') },
  };
  for (const [name, values] of Object.entries(ifaces)) {
    const iface = await makeIface(name, values);
    cleanUps.push(() => iface[Symbol.asyncDispose]());
  }
});

after(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp();
});

test('iface default follows the routes: over the first NIC', async () => {
  await carries('nic0', 'default');
});

for (const nic of NICS) {
  test(`iface with a name of one's own, bound to ${nic}, sends over ${nic} alone (R109)`, async () => {
    await carries(nic, `storage-${nic}`);
  });
}

test('iface bound by its MAC address sends over that NIC alone', async () => {
  await carries('nic1', 'by-mac');
});

test('iscsi_iface with a source address sends over the NIC that has it, by the record bound to it', async () => {
  await carries('nic1', { ipaddress: net.addressOf('nic1') }, 'storage-nic1');
});

test('connect() over two ifaces gives each session its own disk of the volume, under one map (W-20)', async () => {
  await startMultipathd();
  try {
    await using driver = volumeDriver({
      iscsi_iface: ['storage-nic0', 'storage-nic1'],
      volume_use_multipath: true,
      volume_enforce_multipath: true,
    });
    const { device, paths } = await driver.connect(info);
    assert.deepEqual(paths.map(({ iface }) => iface).toSorted(), ['storage-nic0', 'storage-nic1']);
    assert.deepEqual(
      [new Set(paths.map(({ session }) => session)).size, new Set(paths.map(({ disk }) => disk)).size],
      [2, 2],
    );
    await readDirectly(device.path, 1);
    assert.deepEqual(await driver.disconnect(info), { found: true, warnings: [] });
  } finally {
    await stopMultipathd();
  }
});

test('connect() over a second iface reuses the volume that is connected over the first', async () => {
  await using first = volumeDriver({ iscsi_iface: 'storage-nic0' });
  await using second = volumeDriver({ iscsi_iface: 'storage-nic1' });
  const { device } = await first.connect(info);
  const again = await second.connect(info);
  assert.deepEqual([again.device, again.transport.used], [device, 'storage-nic0']);
  assert.deepEqual(await second.disconnect(info), { found: true, warnings: [] });
  assert.equal(await first.find(info), undefined);
});

for (const [what, records] of [
  [
    'a record without a tag and with a setting of its own',
    [{ settings: { 'node.session.timeo.replacement_timeout': '77' } }],
  ],
  [
    'a record for logins at boot, and one of another iface',
    [
      { tag: 1, settings: { 'node.startup': 'automatic' } },
      { tag: 1, iface: 'storage-nic0', settings: { 'node.session.timeo.replacement_timeout': '77' } },
    ],
  ],
] as const) {
  test(`connect() over the wanted iface leaves ${what} untouched (W-6)`, async () => {
    await using present = await AdministratorsRecords.create(IQN, net.portal, records);
    const texts = present.read();
    const before = await readResidue();
    await using driver = volumeDriver({ iscsi_iface: 'storage-nic1' });
    assert.equal((await driver.connect(info)).paths[0].iface, 'storage-nic1');
    assert.deepEqual(present.read(), texts);
    assert.deepEqual(
      compareResidue(before, await readResidue()).filter((line) => line.startsWith('+ session')),
      [`+ session ${IQN} at ${net.portal} over storage-nic1`],
    );
    assert.deepEqual(await driver.disconnect(info), { found: true, warnings: [] });
    assert.deepEqual(present.read(), texts);
    await requireNothingLeft(before);
  });
}

/** From the login to the logout, with 16 MiB read between. */
async function carries(nic: Nic, iscsiIface: unknown, name = iscsiIface): Promise<void> {
  await using driver = volumeDriver({ iscsi_iface: iscsiIface });
  const before = NICS.map((each) => net.bytesOf(each));
  const {
    device,
    paths: [path],
  } = await driver.connect(info);
  assert.deepEqual([path.iface, path.transport], [name, 'tcp']);
  await readDirectly(device.path, 16);
  await driver.disconnect(info);
  await sleep(100);
  const bytes = Object.fromEntries(NICS.map((each, index) => [each, net.bytesOf(each) - (before[index] ?? 0)]));
  console.log(`${String(name)}: ${JSON.stringify(bytes)} bytes`);
  for (const each of NICS) {
    const carried = bytes[each] ?? 0;
    assert.ok(each === nic ? carried >= 16 * MIB : carried < NOISE, `${each} carried ${carried} bytes`);
  }
}

async function readDirectly(device: string, mebibytes: number): Promise<void> {
  await run('dd', [`if=${device}`, 'of=/dev/null', 'bs=1M', `count=${mebibytes}`, 'iflag=direct', 'status=none']);
}
