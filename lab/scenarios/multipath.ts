// needs: libvirt
// releases: 13 12
// takes: 140 s
// limit: 900 s
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isVolumeError } from '../../src/base/volume-error.js';
import { LibvirtVolumeDriver } from '../../src/driver/libvirt-volume-driver.js';
import { run } from '../machine/commands.js';
import { connectionInfo } from '../machine/connection-info.js';
import { readDevice } from '../machine/disks.js';
import { Domain } from '../machine/domain.js';
import { documentOf, libvirtVolume } from '../machine/libvirt-volume.js';
import { LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { faultyPortal } from '../machine/portal-faults.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue, type Residue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp, startMultipathd, stopMultipathd } from '../machine/services.js';
import { sessionStates } from '../machine/session-states.js';
import { volumeDriver } from '../machine/volume-driver.js';
import { waitFor } from '../machine/wait-for.js';

/** Four portals of one target, multipathd's map over them, on a real kernel. */
const IQN = 'iqn.2026-11.org.example:multipath';
const CONFIG = {
  volume_use_multipath: true,
  volume_enforce_multipath: true,
  login_timeout_seconds: 6,
  device_timeout_seconds: 30,
};
const WWIDS = '/etc/multipath/wwids';
const given = readFileSync('/etc/multipath.conf', 'utf8');
let volume: LioVolume;
let target: LioTarget;
let info: object;
let clean: Residue;

before(async () => {
  await startMultipathd();
  volume = await LioVolume.create({ name: 'multipath' });
  target = new LioTarget({ iqn: IQN, luns: { 3: volume }, portals: TCP_ADDRESSES.map((address) => ({ address })) });
  info = connectionInfo(volume, target, 3, TCP_ADDRESSES);
  clean = await readResidue();
});

after(async () => {
  target.remove();
  await volume.remove();
  await stopMultipathd();
  await run('tee', ['/etc/multipath.conf'], { input: given });
});

async function configureMultipathd(text: string): Promise<void> {
  await stopMultipathd();
  await startMultipathd(text);
}

async function requireNothing(): Promise<void> {
  await requireNothingLeft(clean);
  const wwids = readFileSync(WWIDS, 'utf8')
    .split('\n')
    .filter((line) => line === `/${volume.wwid}/`); // multipath -w makes a comment of the line
  assert.deepEqual(wwids, []);
}

for (const setting of ['strict', 'no', 'yes', 'greedy', 'smart']) {
  test(`connect() gives a map of four paths with find_multipaths ${setting}, and disconnect() removes it`, async () => {
    await configureMultipathd(
      `defaults {\n find_multipaths ${setting}\n user_friendly_names yes\n skip_kpartx yes\n}\n`,
    );
    await using driver = volumeDriver(CONFIG);
    volume.write(8192, Buffer.alloc(4096, 0x5a));
    const began = performance.now();
    const { device, paths, warnings } = await driver.connect(info);
    const connected = performance.now();
    assert.deepEqual([device.kind, device.wwid, paths.length, warnings], ['multipath', volume.wwid, 4, []]);
    assert.equal(device.kind === 'multipath' ? device.members.length : 0, 4);
    assert.deepEqual(await readDevice(device.path, 8192, 4096), Buffer.alloc(4096, 0x5a));
    const released = performance.now();
    assert.equal((await driver.disconnect(info)).found, true);
    console.log(
      `connect ${Math.round(connected - began)} ms, disconnect ${Math.round(performance.now() - released)} ms`,
    );
    await requireNothing();
  });
}

test('connect() does not wait for a silent portal of four, and its path joins the map when it answers', async () => {
  await using driver = volumeDriver({ ...CONFIG, login_timeout_seconds: 150 });
  assert.ok(driver instanceof LibvirtVolumeDriver);
  await using fault = await faultyPortal(TCP_ADDRESSES[2], 'drop');
  const began = performance.now();
  const { paths, warnings } = await driver.connect(info);
  console.log(`connect with a silent portal: ${Math.round(performance.now() - began)} ms`);
  assert.deepEqual(
    [paths.length, warnings],
    [3, ['3 of 4 paths are open; 10.99.3.1:3260 over default: no answer yet, it joins when there is one']],
  );
  await fault[Symbol.asyncDispose]();
  await driver.settled();
  assert.equal((await driver.find(info))?.paths.length, 4);
  await driver.disconnect(info);
  await requireNothing();
});

test('libvirt-volume waits no longer for a silent portal than the driver, and then adds the path', async () => {
  const config = '/run/lab/multipath.toml';
  writeFileSync(config, '[libvirt]\nvolume_use_multipath = true\nlogin_timeout_seconds = 150\n');
  const connect = async (): Promise<number> => {
    const outcome = await libvirtVolume(['--config', config, 'connect', '--connection-info', '-', '--json'], {
      input: JSON.stringify(info),
    });
    console.log(`libvirt-volume connect: ${outcome.ms} ms`);
    assert.ok(outcome.status === 0 && outcome.ms < 100_000, outcome.stderr);
    return (documentOf(outcome) as { readonly paths: readonly unknown[] }).paths.length;
  };
  await using fault = await faultyPortal(TCP_ADDRESSES[1], 'drop');
  assert.equal(await connect(), 3);
  await fault[Symbol.asyncDispose]();
  // TCP asks a silent portal again 15, 31 and 63 s after the first time.
  await waitFor(
    'the late session',
    () => sessionStates().filter((state) => state === 'LOGGED_IN').length === 4,
    90_000,
  );
  assert.equal(await connect(), 4);
  await using driver = volumeDriver(CONFIG);
  await driver.disconnect(info);
  rmSync(config);
  await requireNothing();
});

test('connect() gives up on a portal that stays silent, and the next connect() adds it', async () => {
  await using driver = volumeDriver({ ...CONFIG, login_timeout_seconds: 2 });
  assert.ok(driver instanceof LibvirtVolumeDriver);
  await using fault = await faultyPortal(TCP_ADDRESSES[0], 'drop');
  assert.equal((await driver.connect(info)).paths.length, 3);
  await driver.settled();
  await fault[Symbol.asyncDispose]();
  assert.equal((await driver.find(info))?.paths.length, 3);
  await driver.connect(info);
  await driver.settled();
  assert.equal((await driver.find(info))?.paths.length, 4);
  await driver.disconnect(info);
  await requireNothing();
});

test('connect() over two ifaces has a session of each to each portal, and one map over all', async () => {
  for (const name of ['lab.one', 'lab.two']) {
    await run('iscsiadm', ['-m', 'iface', '-I', name, '-o', 'new']);
  }
  try {
    const two = connectionInfo(volume, target, 3, [TCP_ADDRESSES[0], TCP_ADDRESSES[1]]);
    await using driver = volumeDriver({ ...CONFIG, iscsi_iface: ['lab.one', 'lab.two'] });
    const { device, paths } = await driver.connect(two);
    assert.deepEqual(paths.map(({ iface, portal }) => `${iface} ${portal.address}`).toSorted(), [
      'lab.one 10.99.1.1',
      'lab.one 10.99.2.1',
      'lab.two 10.99.1.1',
      'lab.two 10.99.2.1',
    ]);
    assert.equal(device.kind === 'multipath' ? device.members.length : 0, 4);
    await using later = volumeDriver({}); // the configuration has changed by then
    assert.equal((await later.disconnect(two)).found, true);
  } finally {
    for (const name of ['lab.one', 'lab.two']) await run('iscsiadm', ['-m', 'iface', '-I', name, '-o', 'delete']);
  }
  await requireNothing();
});

test('guest loses a path of its map without harm, and detach() removes the map', async () => {
  await libvirtdUp();
  {
    await using guest = await Domain.start({ name: 'multipath' });
    await using driver = volumeDriver(CONFIG);
    const domain = { kind: 'name', name: guest.name } as const;
    const { volume: attached, diskXml } = await driver.attach(domain, info, { dev: 'sdb', bus: 'scsi' });
    assert.match(diskXml, new RegExp(`dev="${attached.device.path}"`));
    assert.ok(
      isVolumeError(
        await driver.disconnect(info).then(
          () => undefined,
          (error: unknown) => error,
        ),
        'DEVICE_IN_USE',
      ),
    );
    target.removePortal({ address: TCP_ADDRESSES[3] });
    try {
      await guest.write(`ua-${volume.name}`, 0xd7, 4096, 4096);
      assert.deepEqual(volume.read(4096, 4096), Buffer.alloc(4096, 0xd7));
      assert.equal((await driver.detach(domain, info)).found, true);
    } finally {
      target.addPortal({ address: TCP_ADDRESSES[3] });
    }
  }
  await requireNothing();
});

test('disconnect() of a map that queues and whose portals are all silent ends', async () => {
  await configureMultipathd('defaults {\n find_multipaths strict\n no_path_retry queue\n skip_kpartx yes\n}\n');
  await using driver = volumeDriver(CONFIG);
  await driver.connect(info);
  const faults: AsyncDisposable[] = [];
  try {
    for (const address of TCP_ADDRESSES) faults.push(await faultyPortal(address, 'drop'));
    await waitFor(
      'dead sessions',
      () => Promise.resolve(sessionStates().every((state) => state !== 'LOGGED_IN') || undefined),
      60_000,
    );
    const began = performance.now();
    await driver.disconnect(info, { force: true });
    console.log(`disconnect of a dead map: ${Math.round(performance.now() - began)} ms`);
  } finally {
    for (const fault of faults) await fault[Symbol.asyncDispose]();
  }
  await requireNothing();
});

test('connect() without multipathd refuses an enforced map before a login, else uses one path', async () => {
  await stopMultipathd();
  try {
    await using enforcing = volumeDriver(CONFIG);
    assert.ok(
      isVolumeError(
        await enforcing.connect(info).then(
          () => undefined,
          (error: unknown) => error,
        ),
        'MULTIPATH_UNAVAILABLE',
      ),
    );
    await requireNothing();
    await using driver = volumeDriver({ ...CONFIG, volume_enforce_multipath: false });
    const {
      device,
      paths: [{ session }],
      warnings,
    } = await driver.connect(info);
    assert.equal(device.kind, 'disk');
    // as iscsid.conf says: it has nowhere else to go
    assert.equal(readFileSync(`/sys/class/iscsi_session/session${session}/recovery_tmo`, 'utf8'), '120\n');
    assert.match(warnings.join(), /multipathd does not run/);
    await driver.disconnect(info);
  } finally {
    await startMultipathd(given);
  }
  await requireNothing();
});
