// needs: libvirt
// limit: 900 s
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { isVolumeError } from '../../src/index.js';
import { run } from '../machine/commands.js';
import { connectionInfo } from '../machine/connection-info.js';
import { Domain } from '../machine/domain.js';
import { LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { makeIface } from '../machine/make-iface.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp, startIscsid, stopIscsid } from '../machine/services.js';
import { volumeDriver } from '../machine/volume-driver.js';

/**
 * What went wrong in other drivers of this kind and shows on a real kernel alone. The rest is in
 * test/driver/regressions.test.ts, and in the scenarios that carry a number in a test's name.
 */
const IQN = 'iqn.2026-11.org.example:regressions';
const IPV6 = 'fd00:99::a1';
let volume: LioVolume;

before(async () => {
  volume = await LioVolume.create({ name: 'regressions' });
});
after(async () => {
  await volume.remove();
});

test('attach() and detach() of an IPv6 portal in capitals log in once and leave nothing (W-5, R16)', async () => {
  await run('ip', ['address', 'add', `${IPV6}/64`, 'dev', 'portals', 'nodad']);
  try {
    await libvirtdUp();
    using target = new LioTarget({ iqn: IQN, luns: { 1: volume }, portals: [{ address: IPV6 }] });
    await using guest = await Domain.start({ name: 'regressions' });
    await using driver = volumeDriver({});
    const info = connectionInfo(volume, target, 1, ['[FD00:0099:0:0::00A1]']);
    const domain = { kind: 'name', name: guest.name } as const;
    const before = await readResidue();
    const { volume: attached } = await driver.attach(domain, info, { dev: 'sdb', bus: 'scsi' });
    assert.deepEqual(attached.paths[0].portal, { address: IPV6, port: 3260 });
    assert.equal((await driver.connect(info)).device.path, attached.device.path);
    assert.deepEqual(driver.commands.logins, ['default']);
    assert.deepEqual(await driver.detach(domain, info), { found: true, warnings: [] });
    await requireNothingLeft(before);
  } finally {
    await run('ip', ['address', 'delete', `${IPV6}/64`, 'dev', 'portals']);
  }
});

test('connect() looks up the iface each time: a later one is used, a missing one is an error (W-7)', async () => {
  using target = new LioTarget({ iqn: IQN, luns: { 1: volume }, portals: [{ address: TCP_ADDRESSES[0] }] });
  await using driver = volumeDriver({ iscsi_iface: 'comes-late' });
  const info = connectionInfo(volume, target, 1, [TCP_ADDRESSES[0]]);
  const before = await readResidue();
  const requireUnknown = async (): Promise<void> => {
    const outcome = await driver.connect(info).catch((error: unknown) => error);
    assert.ok(isVolumeError(outcome, 'IFACE_NOT_FOUND'), String(outcome));
    assert.match(outcome.message, /iscsi_iface = "comes-late": this host has (?:.*, )?default, iser$/);
    await requireNothingLeft(before);
  };
  await requireUnknown();
  const iface = await makeIface('comes-late', {});
  try {
    assert.equal((await driver.connect(info)).paths[0].iface, 'comes-late');
    await driver.disconnect(info);
  } finally {
    await iface[Symbol.asyncDispose]();
  }
  await requireUnknown();
});

test('connect() ignores the lines of iscsid.conf that open-iscsi ignores, and records what it accepts', async () => {
  const file = '/etc/iscsi/iscsid.conf';
  const text = readFileSync(file, 'utf8');
  using target = new LioTarget({ iqn: IQN, luns: { 1: volume }, portals: [{ address: TCP_ADDRESSES[0] }] });
  const info = connectionInfo(volume, target, 1, [TCP_ADDRESSES[0]]);
  await using driver = volumeDriver({});
  const before = await readResidue();
  const odd =
    '[node]\n; old\nwhat is this\nnode.name = iqn.2026-11.org.example:other\nnode.session.typo = ' +
    '1\nnode.session.queue_depth = 24 # deep';
  writeFileSync(file, `${text}\n${odd}\nnode.session.cmds_max=64\nnode.session.iscsi.ImmediateData = maybe\n`);
  try {
    await driver.connect(info);
    assert.match(await run('iscsiadm', ['-m', 'node']), new RegExp(`^${TCP_ADDRESSES[0]}:3260,1 ${IQN}$`, 'm'));
    const record = await run('iscsiadm', [
      '-m',
      'node',
      '-T',
      IQN,
      '-p',
      TCP_ADDRESSES[0],
      '-I',
      'default',
      '-o',
      'show',
    ]);
    for (const line of [
      'node.session.queue_depth = 24',
      'node.session.cmds_max = 128',
      'node.session.iscsi.ImmediateData = Yes',
    ])
      assert.ok(record.includes(`${line}\n`), line);
    await driver.disconnect(info);
    await requireNothingLeft(before);
  } finally {
    writeFileSync(file, text);
  }
});

test('connect() uses the right iface once iscsid runs, and no other before (W-7)', async () => {
  using target = new LioTarget({ iqn: IQN, luns: { 1: volume }, portals: [{ address: TCP_ADDRESSES[0] }] });
  const info = connectionInfo(volume, target, 1, [TCP_ADDRESSES[0]]);
  const iface = await makeIface('stays', {});
  try {
    const before = await readResidue();
    await stopIscsid();
    await using driver = volumeDriver({ iscsi_iface: 'stays' });
    try {
      const outcome = await driver.connect(info).catch((error: unknown) => error);
      assert.ok(isVolumeError(outcome, 'INITIATOR_UNAVAILABLE'), String(outcome));
      await requireNothingLeft(before);
    } finally {
      await startIscsid();
    }
    assert.equal((await driver.connect(info)).paths[0].iface, 'stays');
    assert.deepEqual(driver.commands.logins, ['stays', 'stays']);
    await driver.disconnect(info);
    await requireNothingLeft(before);
  } finally {
    await iface[Symbol.asyncDispose]();
  }
});
