// needs: libvirt
// takes: 85 s
// limit: 900 s
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import {
  type ArrivedVolume,
  type DiskReplacement,
  isVolumeError,
  type MigratingVolume,
  migrationXml,
  Secret,
} from '../../src/index.js';
import { SILENT } from '../../src/base/logger.js';
import { withoutDisksOf } from '../machine/another-host.js';
import { run, tryRun } from '../machine/commands.js';
import { connectionInfo } from '../machine/connection-info.js';
import { disksOf } from '../machine/disks.js';
import { Domain } from '../machine/domain.js';
import { LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { after, before, test } from '../machine/scenario.js';
import { SecondLibvirt } from '../machine/second-libvirt.js';
import { libvirtdUp, virsh } from '../machine/services.js';
import { type LabDriver, volumeDriver } from '../machine/volume-driver.js';

/**
 * A real live migration between two libvirtds, of a guest with two volumes, one of them encrypted. Both run on this
 * kernel, so each "host" has a target of its own for the volumes, with other LUN numbers: the same WWIDs, other disks.
 */
const NAME = 'live-migration';
const DOMAIN = { kind: 'name', name: NAME } as const;
const CONFIG = { login_timeout_seconds: 10, device_timeout_seconds: 60 };
const PASSPHRASE = 'hush-0123456789';
const BLOCK = 4096;
/** Where the destination's QEMU listens: libvirt would take the host's name, and that leads nowhere here. */
const MIGRATE_URI = ['--migrateuri', 'tcp://127.0.0.1:49300', '--listen-address', '127.0.0.1'];

let plain: LioVolume;
let encrypted: LioVolume;
let other: LioVolume;
let targets: readonly LioTarget[];
let second: SecondLibvirt;
let source: LabDriver;
let destination: LabDriver;
let guest: Domain;
let onSource: readonly object[];
let onDestination: readonly object[];

before(async () => {
  [plain, encrypted, other] = await Promise.all([
    LioVolume.create({ name: 'migration-plain' }),
    LioVolume.create({ name: 'migration-encrypted' }),
    LioVolume.create({ name: 'migration-other' }),
  ]);
  await format(encrypted);
  const here = new LioTarget({
    iqn: 'iqn.2026-11.org.example:migration-source',
    luns: { 1: plain, 2: encrypted, 7: other },
    portals: [{ address: TCP_ADDRESSES[0] }],
  });
  const there = new LioTarget({
    iqn: 'iqn.2026-11.org.example:migration-destination',
    luns: { 7: plain, 8: encrypted },
    portals: [{ address: TCP_ADDRESSES[1] }],
  });
  targets = [here, there];
  onSource = [
    connectionInfo(plain, here, 1, [TCP_ADDRESSES[0]]),
    luks(connectionInfo(encrypted, here, 2, [TCP_ADDRESSES[0]])),
  ];
  onDestination = [
    connectionInfo(plain, there, 7, [TCP_ADDRESSES[1]]),
    luks(connectionInfo(encrypted, there, 8, [TCP_ADDRESSES[1]])),
  ];
  await libvirtdUp();
  second = await SecondLibvirt.start();
  source = volumeDriver(CONFIG, 'iscsi', SILENT, (files) => withoutDisksOf(there.iqn, files));
  destination = volumeDriver({ ...CONFIG, uri: second.uri }, 'iscsi', SILENT, (files) =>
    withoutDisksOf(here.iqn, files),
  );
  guest = await Domain.start({ name: NAME });
  for (const [index, info] of onSource.entries())
    await source.attach(DOMAIN, info, { dev: devOf(index), bus: 'scsi' }, optionsFor(index));
});

after(async () => {
  await tryRun('virsh', ['-c', 'qemu:///system', 'destroy', NAME]);
  await tryRun('virsh', ['-c', second.uri, 'destroy', NAME]);
  for (const driver of [source, destination]) await driver[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  for (const target of targets) target.remove();
  for (const volume of [plain, encrypted, other]) await volume.remove();
});

test('cancelMigration() after a failed migration leaves nothing on the destination, all on the source', async () => {
  await guest.write(aliasOf(plain), 0x11, BLOCK, BLOCK);
  await guest.write(aliasOf(encrypted), 0x22, BLOCK, BLOCK);
  const { volumes, arrived } = await prepare();
  const failed = await migrate(
    arrived.map(({ disk }) => ({ ...disk, to: { ...disk.to, path: '/dev/there-is-none' } })),
  );
  assert.notEqual(failed.code, 0);
  console.log(`libvirt says: ${failed.stderr.trim()}`);

  for (const [index, info] of onDestination.entries()) {
    assert.deepEqual(await destination.cancelMigration(info, at(volumes, index)), { found: true, warnings: [] });
    assert.deepEqual(await destination.cancelMigration(info, at(volumes, index)), { found: false, warnings: [] });
  }
  assert.deepEqual([await disksOfTarget(1), await secrets(second.uri)], [0, 0]);
  await guest.verify(aliasOf(plain), 0x11, BLOCK, BLOCK);
  await guest.verify(aliasOf(encrypted), 0x22, BLOCK, BLOCK);
});

test('migration moves a guest with its volumes, one of them encrypted, to another libvirtd', async () => {
  const { volumes, arrived } = await prepare();
  assert.deepEqual(
    arrived.map(({ volume }) => volume.device.wwid),
    [plain.wwid, encrypted.wwid],
  );
  assert.ok(arrived.every(({ disk }) => disk.from.path !== disk.to.path));
  assert.notEqual(arrived[1]?.disk.to.secretUuid, arrived[1]?.disk.from.secretUuid);
  const early = await source.finishMigration(onSource[0], at(volumes, 0)).catch((error: unknown) => error);
  assert.ok(isVolumeError(early, 'DETACH_UNCONFIRMED'), String(early));

  const began = performance.now();
  const moved = await migrate(arrived.map(({ disk }) => disk));
  assert.equal(moved.code, 0, moved.stderr);
  console.log(`the migration took ${Math.round(performance.now() - began)} ms`);
  const there = guest.movedTo(second);
  await there.verify(aliasOf(plain), 0x11, BLOCK, BLOCK);
  await there.verify(aliasOf(encrypted), 0x22, BLOCK, BLOCK);

  const late = await destination.cancelMigration(onDestination[0], at(volumes, 0)).catch((error: unknown) => error);
  assert.ok(isVolumeError(late, 'DETACH_UNCONFIRMED'), String(late));
  await requireProof(at(volumes, 0));
  for (const [index, info] of onSource.entries()) {
    assert.deepEqual(await source.finishMigration(info, at(volumes, index)), { found: true, warnings: [] });
    assert.deepEqual(await source.finishMigration(info, at(volumes, index)), { found: false, warnings: [] });
  }
  assert.deepEqual([await disksOfTarget(0), await secrets('qemu:///system'), await secrets(second.uri)], [0, 0, 1]);

  await there.write(aliasOf(plain), 0x33, 2 * BLOCK, BLOCK);
  await there.write(aliasOf(encrypted), 0x44, 2 * BLOCK, BLOCK);
  await there.verify(aliasOf(encrypted), 0x44, 2 * BLOCK, BLOCK);
  await plain.flush();
  assert.deepEqual(plain.read(BLOCK, 2 * BLOCK), Buffer.concat([Buffer.alloc(BLOCK, 0x11), Buffer.alloc(BLOCK, 0x33)]));

  for (const [index, info] of onDestination.entries())
    assert.deepEqual(await destination.detach(DOMAIN, info, { wwid: at(volumes, index).wwid }), {
      found: true,
      warnings: [],
    });
  assert.deepEqual([await there.disks(), await disksOfTarget(1), await secrets(second.uri)], [[], 0, 0]);
});

/**
 * With a connection_info whose LUN is another volume on this host, as the other host's may be, finishMigration()
 * touches nothing, though nobody has that volume open (R45, R46).
 */
async function requireProof(volume: MigratingVolume): Promise<void> {
  const [here] = targets;
  assert.ok(here !== undefined);
  const wrong = connectionInfo(plain, here, 7, [TCP_ADDRESSES[0]]);
  const { device } = await source.connect(wrong);
  const outcome = await source.finishMigration(wrong, volume).catch((error: unknown) => error);
  assert.ok(isVolumeError(outcome, 'DEVICE_MISMATCH'), String(outcome));
  assert.deepEqual([outcome.details.found, outcome.details.expected], [other.wwid, plain.wwid]);
  assert.equal((await source.find(wrong))?.device.path, device.path);
  assert.equal((await source.disconnect(wrong, { wwid: other.wwid })).found, true);
}

/** The calls before the migration, as JSON goes from host to host. */
async function prepare(): Promise<{
  readonly volumes: readonly MigratingVolume[];
  readonly arrived: readonly ArrivedVolume[];
}> {
  const volumes: MigratingVolume[] = [];
  const arrived: ArrivedVolume[] = [];
  for (const [index, info] of onSource.entries()) {
    const volume = JSON.parse(JSON.stringify(await source.prepareMigration(DOMAIN, info))) as MigratingVolume;
    volumes.push(volume);
    arrived.push(await destination.connectForMigration(onDestination[index], volume, optionsFor(index)));
  }
  return { volumes, arrived };
}

async function migrate(disks: readonly DiskReplacement[]): ReturnType<typeof tryRun> {
  const file = `/run/lab/${NAME}-destination.xml`;
  writeFileSync(file, migrationXml(await virsh('dumpxml', '--migratable', NAME), disks));
  try {
    return await tryRun(
      'virsh',
      ['-q', '-c', 'qemu:///system', 'migrate', '--live', NAME, second.uri, ...MIGRATE_URI, '--xml', file],
      { timeoutMs: 180_000 },
    );
  } finally {
    rmSync(file);
  }
}

/** LUKS version 1, as Cinder formats an encrypted volume: its header is written where the target keeps the volume. */
async function format(volume: LioVolume): Promise<void> {
  const file = '/run/lab/migration-luks.img';
  await run('qemu-img', [
    'create',
    '-q',
    '-f',
    'luks',
    '--object',
    `secret,id=s,data=${PASSPHRASE}`,
    '-o',
    'key-secret=s,iter-time=10',
    file,
    '1M',
  ]);
  volume.write(0, readFileSync(file));
  await volume.flush();
  rmSync(file);
}

function luks(info: object): object {
  const { data } = info as { readonly data: object };
  return { ...info, data: { ...data, encrypted: true } };
}

function optionsFor(index: number): { readonly encryption?: { readonly passphrase: Secret } } {
  return index === 1 ? { encryption: { passphrase: new Secret(PASSPHRASE) } } : {};
}

function devOf(index: number): string {
  return ['sdb', 'sdc'][index] ?? '';
}

function aliasOf({ name }: LioVolume): string {
  return `ua-${name}`;
}

function at<Item>(list: readonly Item[], index: number): Item {
  const item = list[index];
  assert.ok(item !== undefined);
  return item;
}

/** How many disks of a target the kernel has. */
async function disksOfTarget(index: number): Promise<number> {
  const { iqn } = at(targets, index);
  return (await Promise.all([1, 2, 7, 8].map(async (lun) => (await disksOf(iqn, lun)).length))).reduce(
    (sum, count) => sum + count,
    0,
  );
}

async function secrets(uri: string): Promise<number> {
  return (await run('virsh', ['-q', '-c', uri, 'secret-list'])).split('\n').filter((line) => line.trim() !== '').length;
}
