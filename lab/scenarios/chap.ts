// releases: 13 12
// takes: 45 s
// limit: 900 s
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isVolumeError } from '../../src/base/volume-error.js';
import { run, tryRun } from '../machine/commands.js';
import { connectionInfo } from '../machine/connection-info.js';
import { nodesFolder } from '../machine/database-root.js';
import { commandsIn, libvirtVolume } from '../machine/libvirt-volume.js';
import { type Chap, ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { compareResidue, readResidue, type Residue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { volumeDriver } from '../machine/volume-driver.js';

/**
 * The kinds of CHAP, each with the real initiator and target: one-way and mutual, every digest, a secret that changes,
 * and the secret by argument.
 */
const LUN = 1;
const MINE: Chap = { username: 'volumes', password: 'Volume-Secret-4711' };
const CHANGED: Chap = { username: 'volumes', password: 'Changed-Secret-4712' };
const THEIRS: Chap = { username: 'array', password: 'Array-Secret-0815' };
const MUTUAL_IQN = 'iqn.2026-11.org.example:chap-mutual';
const [TCP] = TCP_ADDRESSES;
const CONFIG_FILE = '/run/lab/chap.toml';
const ISCSID_CONF = '/etc/iscsi/iscsid.conf';
const cleanUps: (() => Promise<void> | void)[] = [];
const shipped = readFileSync(ISCSID_CONF, 'utf8');
let volume: LioVolume;
let oneWay: LioTarget;
let mutual: LioTarget;
let clean: Residue;

before(async () => {
  volume = await LioVolume.create({ name: 'chap' });
  cleanUps.push(() => volume.remove());
  const common = { luns: { [LUN]: volume }, chap: MINE };
  oneWay = new LioTarget({ ...common, iqn: 'iqn.2026-11.org.example:chap', portals: [{ address: TCP }] });
  mutual = new LioTarget({
    ...common,
    iqn: MUTUAL_IQN,
    mutualChap: THEIRS,
    portals: [{ address: TCP_ADDRESSES[1] }, { address: ISER_ADDRESS, iser: true }],
  });
  for (const target of [oneWay, mutual])
    cleanUps.push(() => {
      target.remove();
    });
  clean = await readResidue();
});

after(async () => {
  writeFileSync(ISCSID_CONF, shipped);
  for (const cleanUp of cleanUps.toReversed()) await cleanUp();
});

for (const [iface, address] of [
  ['default', TCP_ADDRESSES[1]],
  ['iser', ISER_ADDRESS],
] as const) {
  test(`connect() over ${iface} with mutual CHAP accepts a target with the secret that iscsid.conf has`, async () => {
    demandOfTargets(THEIRS);
    await roundTrip(info(mutual, address), iface);
  });
}

/**
 * iscsid has one status for whatever it does not like itself (usr/initiator.c): it does not say that the target's proof
 * was wrong. Over tcp alone: an iSER login that the initiator leaves half way keeps LIO's portal for ever, and its
 * removal would never end.
 */
test('connect() with mutual CHAP refuses a target with another secret after one login, without fallback', async () => {
  demandOfTargets({ ...THEIRS, password: 'Wrong-Array-Secret' });
  await refused(mutual, info(mutual, TCP_ADDRESSES[1]), { iface: 'default', code: 'LOGIN_REFUSED' });
});

for (const digests of ['SHA1', 'SHA256', 'SHA3-256', 'SHA3-256,SHA256,SHA1,MD5']) {
  test(`connect() uses the CHAP digests ${digests} of iscsid.conf`, async () => {
    writeFileSync(ISCSID_CONF, `${shipped}\nnode.session.auth.chap_algs = ${digests}\n`);
    await roundTrip(info(oneWay, TCP), 'default', (record) => {
      assert.match(record, new RegExp(`^node\\.session\\.auth\\.chap_algs = ${digests}$`, 'm'));
    });
  });
}

test("connect() uses a changed CHAP secret, and does not change an administrator's record of the old one", async () => {
  writeFileSync(ISCSID_CONF, shipped);
  await roundTrip(info(oneWay, TCP), 'default');
  oneWay.setChap(CHANGED);
  await refused(oneWay, info(oneWay, TCP), { iface: 'default', code: 'LOGIN_AUTH_FAILED' });
  await roundTrip(info(oneWay, TCP, CHANGED), 'default');
  const node = ['-m', 'node', '-T', oneWay.iqn, '-p', `${TCP}:3260,1`, '-I', 'default'];
  await run('iscsiadm', [...node, '-o', 'new']);
  for (const [key, value] of Object.entries({ authmethod: 'CHAP', username: MINE.username, password: MINE.password }))
    await run('iscsiadm', [...node, '-o', 'update', '-n', `node.session.auth.${key}`, '-v', value]);
  const theirs = recordOf(oneWay);
  await using driver = volumeDriver({});
  await driver.connect(info(oneWay, TCP, CHANGED));
  assert.equal(recordOf(oneWay), theirs);
  await driver.disconnect(info(oneWay, TCP, CHANGED));
  assert.equal(recordOf(oneWay), theirs);
  await tryRun('iscsiadm', [...node, '-o', 'delete']);
  oneWay.setChap(MINE);
  assert.deepEqual(compareResidue(clean, await readResidue()), []);
});

test('connect() with chap_secrets = "argv" gives iscsiadm the secret once, and its record is managed too', async () => {
  writeFileSync(CONFIG_FILE, '[libvirt]\nchap_secrets = "argv"\n', { mode: 0o600 });
  cleanUps.push(() => {
    rmSync(CONFIG_FILE);
  });
  await using driver = volumeDriver({});
  try {
    const connected = await libvirtVolume(['connect', '--connection-info', '-', '--config', CONFIG_FILE, '--json'], {
      input: JSON.stringify(info(oneWay, TCP)),
      env: { LIBVIRT_VOLUME_LOG: 'debug' },
    });
    assert.equal(connected.status, 0, connected.stdout);
    assert.equal(
      commandsIn(connected, 'iscsiadm').filter(({ command }) =>
        command.endsWith('-I default -o update -n node.session.auth.password -v ***'),
      ).length,
      1,
      connected.stderr,
    );
    assert.match(connected.stderr, /A CHAP secret goes into the arguments of iscsiadm/);
    assert.equal(`${connected.stdout}${connected.stderr}`.includes(MINE.password), false);
    const record = recordOf(oneWay);
    assert.match(record, /^# Made by libvirt-volume-drivers$/m);
    assert.match(record, new RegExp(`^node\\.session\\.auth\\.password = ${MINE.password}$`, 'm'));
  } finally {
    await driver.disconnect(info(oneWay, TCP));
  }
  assert.deepEqual(compareResidue(clean, await readResidue()), []);
});

function info(target: LioTarget, address: string, { username, password }: Chap = MINE): object {
  const { data, ...top } = connectionInfo(volume, target, LUN, [address]) as { readonly data: object };
  return { ...top, data: { ...data, auth_method: 'CHAP', auth_username: username, auth_password: password } };
}

/** Connects, looks at the record, disconnects: nothing is left. */
async function roundTrip(
  connection: object,
  iface: string,
  look: (record: string) => void = () => undefined,
): Promise<void> {
  const begin = performance.now();
  await using driver = volumeDriver({ iscsi_iface: iface });
  const {
    paths: [path],
    transport,
  } = await driver.connect(connection);
  assert.deepEqual({ iface: path.iface, fallback: transport.fallback }, { iface, fallback: undefined });
  look(readFileSync(`${nodesFolder()}/${path.target}/${path.portal.address},3260,1/${iface}`, 'utf8'));
  await driver.disconnect(connection);
  console.log(`connected over ${iface} and disconnected in ${Math.round(performance.now() - begin)} ms`);
  assert.deepEqual(compareResidue(clean, await readResidue()), []);
}

/**
 * By the target or by the initiator: after one login at most that the target has seen, without a fallback, and nothing
 * is left.
 */
async function refused(
  target: LioTarget,
  connection: object,
  { iface, code }: { readonly iface: string; readonly code: string },
): Promise<void> {
  const before = target.loginCounts();
  const begin = performance.now();
  await using driver = volumeDriver({ iscsi_iface: iface });
  const error: unknown = await driver.connect(connection).then(
    () => new Error('It was not refused'),
    (reason: unknown) => reason,
  );
  const seen = Object.entries(target.loginCounts()).flatMap(([name, count]) =>
    count === before[name] ? [] : [`${count - (before[name] ?? 0)} ${name}`],
  );
  if (!isVolumeError(error)) throw error instanceof Error ? error : new Error(String(error));
  console.log(
    `${error.code} after ${Math.round(performance.now() - begin)} ms, exit status ` +
      `${String(error.details.exitCode)}, ${seen.join(', ') || 'nothing counted'}: ${error.message}`,
  );
  assert.equal(error.code, code);
  assert.ok(
    seen.every((count) => /^1 \w+_fails$/.test(count)),
    seen.join(),
  ); // LIO counts one refused login as authenticate_fails and as negotiate_fails
  assert.deepEqual(compareResidue(clean, await readResidue()), []);
}

function demandOfTargets({ username, password }: Chap): void {
  writeFileSync(
    ISCSID_CONF,
    `${shipped}\nnode.session.auth.username_in = ${username}\nnode.session.auth.password_in = ${password}\n`,
  );
}

function recordOf(target: LioTarget): string {
  return readFileSync(`${nodesFolder()}/${target.iqn}/${TCP},3260,1/default`, 'utf8');
}
