// limit: 900 s
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, realpathSync, unlinkSync, writeFileSync } from 'node:fs';
import { AdministratorsRecords } from '../machine/administrators-records.js';
import { run, tryRun } from '../machine/commands.js';
import { ifacesFolder, nodesFolder } from '../machine/database-root.js';
import { diskOf, readDevice } from '../machine/disks.js';
import { LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { makeIface } from '../machine/make-iface.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { volumeDriver } from '../machine/volume-driver.js';
import { waitFor } from '../machine/wait-for.js';

/** Records and sessions that an administrator has to the portals of volumes, in spellings and by names of their own. */
const IQN = 'iqn.2026-11.org.example:other-hands';
const IPV6 = 'fd00:99::b1';
const NAME = 'Storage_1.lab.example';
const HOSTS = '/etc/hosts';
const CONNECTIONS = '/sys/class/iscsi_connection';
const LENGTH = 4096;

/** What the storage service says, and what the administrator gave to iscsiadm. */
const SPELLINGS = [
  { portal: `[${IPV6}]:3260`, spelled: 'FD00:0099:0:0::00B1' },
  { portal: `[${IPV6}]:3260`, spelled: 'fd00:99:0:0:0:0:0:b1' },
  { portal: `${TCP_ADDRESSES[0]}:3260`, spelled: '::ffff:a63:101' }, // the same IPv4 address, mapped
  { portal: `${TCP_ADDRESSES[0]}:3260`, spelled: '10.99.257' },
  { portal: `${TCP_ADDRESSES[0]}:3260`, spelled: NAME },
  { portal: `${NAME.toLowerCase().replace('_', '-')}:3260`, spelled: NAME.replace('_', '-') },
] as const;

const given = readFileSync(HOSTS, 'utf8');
let volume: LioVolume;
let other: LioVolume;

before(async () => {
  volume = await LioVolume.create({ name: 'other-hands', sizeMiB: 8 });
  volume.write(0, Buffer.alloc(LENGTH, 'the volume '));
  other = await LioVolume.create({ name: 'other-hands-2', sizeMiB: 8 });
  writeFileSync(HOSTS, `${given}${TCP_ADDRESSES[0]} ${NAME} ${NAME.replace('_', '-')}\n`);
  await run('ip', ['address', 'add', `${IPV6}/64`, 'dev', 'portals', 'nodad']);
});

after(async () => {
  await run('ip', ['address', 'delete', `${IPV6}/64`, 'dev', 'portals']);
  writeFileSync(HOSTS, given);
  await volume.remove();
  await other.remove();
});

function target(): LioTarget {
  return new LioTarget({
    iqn: IQN,
    luns: { 1: volume, 2: other },
    portals: [{ address: TCP_ADDRESSES[0] }, { address: IPV6 }],
  });
}

function infoAt(portal: string, iqn = IQN): object {
  return {
    driver_volume_type: 'iscsi',
    serial: 'other-hands',
    data: { volume_id: 'other-hands', target_iqn: iqn, target_portal: portal, target_lun: 1, access_mode: 'rw' },
  };
}

/** What each session was asked for, and where its connection is, as the kernel prints it. */
function places(): readonly (readonly [string, string])[] {
  const read = (connection: string, key: string): string =>
    readFileSync(`${CONNECTIONS}/${connection}/${key}`, 'utf8').trim();
  return readdirSync(CONNECTIONS).map((name) => [read(name, 'persistent_address'), read(name, 'address')]);
}

async function requireBytes(device: string): Promise<void> {
  assert.ok((await readDevice(device, 0, LENGTH)).equals(Buffer.alloc(LENGTH, 'the volume ')));
}

function operandOf(address: string): string {
  return address.includes(':') ? `[${address}]:3260` : `${address}:3260`;
}

for (const { portal, spelled } of SPELLINGS) {
  test(`connect() to ${portal} uses an administrator's session as ${spelled}, which stays`, async () => {
    using served = target();
    await using records = await AdministratorsRecords.create(served.iqn, spelled, [
      { tag: 1, settings: { 'node.startup': 'automatic', 'node.session.scan': 'manual' } },
    ]);
    const node = ['-m', 'node', '-T', served.iqn, '-p', operandOf(spelled), '-I', 'default'];
    await run('iscsiadm', [...node, '--login']);
    try {
      assert.deepEqual(
        places().map(([asked]) => asked),
        [spelled],
      );
      const [before, text] = [await readResidue(), records.read()];
      await using driver = volumeDriver({});
      const { device, paths } = await driver.connect(infoAt(portal));
      assert.deepEqual([device.wwid, paths.length], [volume.wwid, 1]);
      await requireBytes(device.path);
      assert.equal((await driver.disconnect(infoAt(portal))).found, true);
      assert.equal((await driver.disconnect(infoAt(portal))).found, false);
      assert.deepEqual(driver.commands.logins, []);
      assert.deepEqual(records.read(), text);
      await requireNothingLeft(before);
    } finally {
      await run('iscsiadm', [...node, '--logout']);
    }
  });

  test(`connect() to ${portal} logs in by an administrator's record as ${spelled}`, async () => {
    using served = target();
    await using records = await AdministratorsRecords.create(served.iqn, spelled, [
      { tag: 1, settings: { 'node.startup': 'manual' } },
    ]);
    const [before, text] = [await readResidue(), records.read()];
    await using driver = volumeDriver({});
    const { device } = await driver.connect(infoAt(portal));
    await requireBytes(device.path);
    assert.deepEqual(
      places().map(([asked]) => asked),
      [spelled],
    );
    assert.deepEqual(readdirSync(`${nodesFolder()}/${served.iqn}`), [`${spelled},3260,1`]);
    assert.deepEqual(records.read(), text);
    assert.equal((await driver.disconnect(infoAt(portal))).found, true);
    assert.deepEqual(records.read(), text);
    await requireNothingLeft(before);
  });
}

test("disconnect() keeps an administrator's second session to the portal with another volume", async () => {
  using served = target();
  const before = await readResidue();
  const portal = `${TCP_ADDRESSES[0]}:3260`;
  await using driver = volumeDriver({});
  const { paths } = await driver.connect(infoAt(portal));
  const session = String(paths[0].session);
  await run('iscsiadm', ['-m', 'session', '-r', session, '-o', 'new']);
  const theirs = readdirSync('/sys/class/iscsi_session').find((name) => name !== `session${session}`);
  const host = /\/(host\d+)\//.exec(realpathSync(`/sys/class/iscsi_session/${theirs ?? ''}/device`))?.[1];
  writeFileSync(`/sys/class/scsi_host/${host ?? ''}/scan`, '0 0 2');
  await diskOf(served.iqn, 2);
  assert.equal((await driver.disconnect(infoAt(portal))).found, true);
  assert.deepEqual(readdirSync('/sys/class/iscsi_session'), [theirs]);
  await tryRun('iscsiadm', ['-m', 'session', '-r', (theirs ?? '').slice('session'.length), '--logout']);
  await waitFor('the end of that session', () => readdirSync('/sys/class/iscsi_session').length === 0);
  await requireNothingLeft(before);
});

test('disconnect() over an iface whose record an administrator has removed takes the volume away', async () => {
  using served = target();
  const before = await readResidue();
  const portal = `${TCP_ADDRESSES[0]}:3260`;
  await using iface = await makeIface('lab-gone', {});
  await using driver = volumeDriver({ iscsi_iface: 'lab-gone' });
  const { paths } = await driver.connect(infoAt(portal));
  assert.equal(paths[0].iface, 'lab-gone');
  const record = `${ifacesFolder()}/lab-gone`;
  const text = readFileSync(record);
  unlinkSync(record);
  try {
    await assert.rejects(driver.connect(infoAt(portal, served.iqn)), { code: 'IFACE_NOT_FOUND' });
    assert.equal((await driver.disconnect(infoAt(portal))).found, true);
    assert.deepEqual(readdirSync('/sys/class/iscsi_session'), []);
  } finally {
    writeFileSync(record, text, { mode: 0o600 });
  }
  await iface[Symbol.asyncDispose]();
  await requireNothingLeft(before);
});

for (const iqn of [
  'iqn.2003-01.org.linux-iscsi.iron_man.x8664:sn.x',
  `iqn.2026-11.org.example:${'long.'.repeat(39)}x`,
]) {
  test(`connect() and disconnect() work with the target ${iqn}, and with LUN 0 when none is named`, async () => {
    using served = new LioTarget({ iqn, luns: { 0: volume }, portals: [{ address: TCP_ADDRESSES[0] }] });
    const before = await readResidue();
    await using driver = volumeDriver({});
    const info = { driver_volume_type: 'iscsi', data: { target_iqn: served.iqn, target_portal: TCP_ADDRESSES[0] } };
    const { device, paths } = await driver.connect(info);
    assert.deepEqual([device.wwid, paths[0].lun], [volume.wwid, 0]);
    await requireBytes(device.path);
    assert.equal((await driver.disconnect(info)).found, true);
    await requireNothingLeft(before);
  });
}
