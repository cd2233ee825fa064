// needs: libvirt
// releases: 13 12
// takes: 350 s
// limit: 1200 s
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isVolumeError, VolumeError } from '../../src/base/volume-error.js';
import { run, tryRun } from '../machine/commands.js';
import { connectionInfo } from '../machine/connection-info.js';
import { disksOf } from '../machine/disks.js';
import { Domain } from '../machine/domain.js';
import { holdOpen } from '../machine/hold-open.js';
import { LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue, type Residue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp, startMultipathd, stopMultipathd } from '../machine/services.js';
import { volumeDriver } from '../machine/volume-driver.js';
import { waitFor } from '../machine/wait-for.js';

/**
 * Two storage hosts whose volumes have one WWID, maps that lose their disks, and a multipathd with an id of its own for
 * each volume, or none to say.
 */
const CONFIG = {
  volume_use_multipath: true,
  volume_enforce_multipath: true,
  login_timeout_seconds: 6,
  device_timeout_seconds: 30,
};
const FIRST_PORTALS = [TCP_ADDRESSES[0], TCP_ADDRESSES[1]] as const;
const SECOND_PORTALS = [TCP_ADDRESSES[2], TCP_ADDRESSES[3]] as const;
const given = readFileSync('/etc/multipath.conf', 'utf8');
const LUN = 2;
let first: LioVolume;
let second: LioVolume;
let firstTarget: LioTarget;
let secondTarget: LioTarget;
let firstInfo: object;
let secondInfo: object;
let clean: Residue;

before(async () => {
  first = await LioVolume.create({ name: 'one-map-first' });
  second = await LioVolume.create({ name: 'one-map-second', serial: first.serial });
  firstTarget = new LioTarget({
    iqn: 'iqn.2026-11.org.example:one-map-first',
    luns: { [LUN]: first },
    portals: FIRST_PORTALS.map((address) => ({ address })),
  });
  secondTarget = new LioTarget({
    iqn: 'iqn.2026-11.org.example:one-map-second',
    luns: { [LUN]: second },
    portals: SECOND_PORTALS.map((address) => ({ address })),
  });
  firstInfo = connectionInfo(first, firstTarget, LUN, [...FIRST_PORTALS]);
  secondInfo = connectionInfo(second, secondTarget, LUN, [...SECOND_PORTALS]);
  assert.equal(first.wwid, second.wwid);
  clean = await readResidue();
});

after(async () => {
  for (const target of [firstTarget, secondTarget]) target.remove();
  for (const volume of [first, second]) await volume.remove();
  await stopMultipathd();
  writeFileSync('/etc/multipath.conf', given);
});

async function configureMultipathd(settings: string): Promise<void> {
  await stopMultipathd();
  await startMultipathd(
    `defaults {\n find_multipaths strict\n user_friendly_names yes\n skip_kpartx yes\n ${settings}\n}\n`,
  );
}

async function failure(promise: Promise<unknown>): Promise<VolumeError> {
  const outcome = await promise.then(
    () => 'done',
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof VolumeError, String(outcome));
  return outcome;
}

/** The kernel names of what is below a map. */
function slavesOf(device: string): readonly string[] {
  return readdirSync(`/sys/class/block/${device.slice('/dev/'.length)}/slaves`);
}

/** Of this library's making, or multipathd's: lines of the wwids file; `multipath -w` makes a comment of one. */
function entries(): readonly string[] {
  return readFileSync('/etc/multipath/wwids', 'utf8')
    .split('\n')
    .filter((line) => line.includes(first.serial.slice(0, 20)) && line.startsWith('/'));
}

async function requireNothing(): Promise<void> {
  await requireNothingLeft(clean);
  assert.deepEqual(entries(), []);
}

test('attach() of a second volume with the WWID is refused, and the guest keeps using the first', async () => {
  await libvirtdUp();
  await configureMultipathd('path_grouping_policy multibus');
  {
    await using guest = await Domain.start({ name: 'one-map' });
    await using driver = volumeDriver(CONFIG);
    const domain = { kind: 'name', name: guest.name } as const;
    const alias = `ua-${first.name}`;
    const { volume } = await driver.attach(domain, firstInfo, { dev: 'sdb', bus: 'scsi' });
    const slaves = slavesOf(volume.device.path);
    await guest.write(alias, 0xa1, 0, 65_536);
    const untouched = second.read(0, 2 ** 20);

    for (const [number, config] of [CONFIG, CONFIG, {}].entries()) {
      await using other = volumeDriver(config);
      const attaching = failure(other.attach(domain, secondInfo, { dev: 'sdc', bus: 'scsi' }));
      // beside it, over every path that the map has
      for (let write = 0; write < 8; write++) await guest.write(alias, 0xb0 + number, 65_536 * (write + 1), 65_536);
      const refused = await attaching;
      console.log(`${refused.code}: ${refused.message}`);
      assert.equal(refused.code, 'DEVICE_MISMATCH');
      assert.deepEqual([...slavesOf(volume.device.path)].toSorted(), [...slaves].toSorted());
      assert.deepEqual(await disksOf(secondTarget.iqn, LUN), []);
    }

    await guest.verify(alias, 0xa1, 0, 65_536);
    await guest.verify(alias, 0xb2, 65_536, 65_536 * 8);
    assert.deepEqual(first.read(65_536, 65_536), Buffer.alloc(65_536, 0xb2));
    assert.deepEqual(second.read(0, 2 ** 20), untouched);
    assert.equal((await driver.find(firstInfo))?.paths.length, 2);
    assert.deepEqual(await driver.detach(domain, firstInfo), { found: true, warnings: [] });
  }
  await requireNothing();
});

test('connect() refuses a map that a foreign disk joined, and disconnect() leaves that disk its map', async () => {
  await configureMultipathd('');
  await using driver = volumeDriver(CONFIG);
  const { device } = await driver.connect(firstInfo);
  const before = await readResidue();
  await run('iscsiadm', [
    '-m',
    'node',
    '-T',
    secondTarget.iqn,
    '-p',
    `${SECOND_PORTALS[0]}:3260`,
    '-I',
    'default',
    '-o',
    'new',
  ]);
  try {
    await run('iscsiadm', [
      '-m',
      'node',
      '-T',
      secondTarget.iqn,
      '-p',
      `${SECOND_PORTALS[0]}:3260`,
      '-I',
      'default',
      '--login',
    ]);
    const [stranger] = await waitFor('the other disk', async () => {
      const found = await disksOf(secondTarget.iqn, LUN);
      return found.length > 0 ? found : undefined;
    });
    await waitFor('the other disk in the map', () =>
      Promise.resolve(slavesOf(device.path).includes(stranger?.name ?? '') || undefined),
    );
    assert.match(
      (await driver.find(firstInfo))?.warnings.join() ?? '',
      new RegExp(`/dev/${stranger?.name ?? ''} .*${secondTarget.iqn}`),
    );
    assert.equal((await failure(driver.connect(firstInfo))).code, 'DEVICE_MISMATCH');
    assert.equal((await failure(driver.extend(firstInfo))).code, 'DEVICE_MISMATCH');
    const letGo = await holdOpen(device.path);
    assert.equal((await failure(driver.disconnect(firstInfo, { force: true }))).code, 'DEVICE_MISMATCH');
    await letGo();
    const { found, warnings } = await driver.disconnect(firstInfo);
    console.log(warnings.join());
    assert.ok(found && warnings.length === 1);
    assert.deepEqual(slavesOf(device.path), [stranger?.name]);
    assert.deepEqual(await disksOf(firstTarget.iqn, LUN), []);
  } finally {
    await tryRun('multipath', ['-f', first.wwid]);
    await tryRun('multipath', ['-F']);
    await tryRun('iscsiadm', ['-m', 'node', '-T', secondTarget.iqn, '--logout']);
    await tryRun('iscsiadm', ['-m', 'node', '-T', secondTarget.iqn, '-o', 'delete']);
    await tryRun('multipath', ['-w', first.wwid]);
    await tryRun('rm', ['-rf', '/var/lib/libvirt-volume/wwids']);
  }
  assert.ok(before.length > clean.length);
  await requireNothing();
});

for (const force of [false, true]) {
  test(`disconnect()${force ? ' with force' : ''} removes a queueing map without disks, unless in use`, async () => {
    await configureMultipathd('no_path_retry queue');
    await using driver = volumeDriver(CONFIG);
    const { device } = await driver.connect(firstInfo);
    const letGo = await holdOpen(device.path);
    await run('iscsiadm', ['-m', 'session', '--logout']);
    await waitFor(
      'a map without disks',
      () => Promise.resolve(slavesOf(device.path).length === 0 || undefined),
      60_000,
    );
    const refused = await failure(driver.disconnect(firstInfo, { force }));
    assert.equal(refused.code, 'DEVICE_IN_USE', refused.message);
    assert.ok(existsSync(`/sys/class/block/${device.path.slice('/dev/'.length)}`));
    await letGo();
    const began = performance.now();
    await using later = volumeDriver({}); // another process, another configuration
    const { found } = await later.disconnect(firstInfo, { force });
    console.log(
      `disconnect of a map without disks: found ${String(found)}, ${Math.round(performance.now() - began)} ms`,
    );
    assert.deepEqual(await later.disconnect(firstInfo, { force }), { found: false, warnings: [] });
    await requireNothing();
  });
}

test('connect() restores the disks of a map in use that has lost them', async () => {
  await configureMultipathd('no_path_retry queue');
  await using driver = volumeDriver(CONFIG);
  const { device } = await driver.connect(firstInfo);
  const letGo = await holdOpen(device.path);
  await run('iscsiadm', ['-m', 'session', '--logout']);
  await waitFor('a map without disks', () => Promise.resolve(slavesOf(device.path).length === 0 || undefined), 60_000);
  assert.equal((await failure(driver.connect(secondInfo))).code, 'DEVICE_MISMATCH');
  assert.deepEqual(slavesOf(device.path), []);
  const again = await driver.connect(firstInfo);
  assert.deepEqual([again.device.path, again.paths.length, slavesOf(device.path).length], [device.path, 2, 2]);
  await letGo();
  await driver.disconnect(firstInfo);
  await requireNothing();
});

test('connect() and disconnect() work with a uid_attribute that gives the map another id than the WWID', async () => {
  await configureMultipathd('uid_attribute ID_SERIAL_SHORT');
  await using driver = volumeDriver(CONFIG);
  const began = performance.now();
  const { device, paths, warnings } = await driver.connect(firstInfo);
  console.log(`connect with uid_attribute ID_SERIAL_SHORT: ${Math.round(performance.now() - began)} ms`);
  assert.deepEqual(
    [device.kind === 'multipath' ? device.id : '', device.wwid, paths.length, warnings],
    [first.wwid.slice(1), first.wwid, 2, []],
  );
  assert.deepEqual(entries(), [`/${first.wwid.slice(1)}/`]);
  assert.equal((await failure(driver.connect(secondInfo))).code, 'DEVICE_MISMATCH');
  await first.resize(96);
  assert.equal((await driver.extend(firstInfo)).newSizeBytes, 96 * 2 ** 20);
  assert.deepEqual(await driver.disconnect(firstInfo, { wwid: device.wwid ?? '' }), { found: true, warnings: [] });
  await first.resize(64);
  await requireNothing();
});

test('connect() with a stopped multipathd uses one path, and disconnect() still removes a map', async () => {
  await configureMultipathd('');
  const pid = (await run('pidof', ['multipathd'])).trim();
  const signal = async (name: string): Promise<void> => {
    await run('kill', [`-${name}`, pid]);
  };
  await using enforcing = volumeDriver(CONFIG);
  await using driver = volumeDriver({ ...CONFIG, volume_enforce_multipath: false });
  await signal('STOP');
  try {
    const began = performance.now();
    const { device, paths, warnings } = await driver.connect(firstInfo);
    console.log(`connect with a stopped multipathd: ${Math.round(performance.now() - began)} ms`);
    assert.deepEqual(
      [device.kind, paths.length, warnings],
      ['disk', 1, ['the volume has one path only: multipathd does not answer']],
    );
    await driver.disconnect(firstInfo);
    await requireNothing();
    assert.ok(isVolumeError(await failure(enforcing.connect(firstInfo)), 'MULTIPATH_UNAVAILABLE'));
    await requireNothing();
  } finally {
    await signal('CONT');
  }
  await enforcing.connect(firstInfo);
  await signal('STOP');
  try {
    const began = performance.now();
    await enforcing.disconnect(firstInfo);
    console.log(`disconnect with a stopped multipathd: ${Math.round(performance.now() - began)} ms`);
  } finally {
    await signal('CONT');
  }
  await requireNothing();
});
