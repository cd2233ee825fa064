// takes: 125 s
// limit: 900 s
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { inspect } from 'node:util';
import { isVolumeError } from '../../src/base/volume-error.js';
import { run, tryRun } from '../machine/commands.js';
import { connectionInfo } from '../machine/connection-info.js';
import { databaseRoot } from '../machine/database-root.js';
import { LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { type Sampled, sampleProcesses } from '../machine/process-sampler.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue, type Residue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { startIscsid, stopIscsid } from '../machine/services.js';
import { volumeDriver } from '../machine/volume-driver.js';

/**
 * Fifty volumes with CHAP while every process of the machine is watched and every log is at its most talkative. The
 * scenario chap has the kinds of CHAP.
 */
const LANES = 2;
const ROUNDS = 25;
/** One round in ten. */
const isWrong = (round: number): boolean => round % 10 === 4;
const WRONG_ROUNDS = Array.from({ length: ROUNDS }, (_unused, round) => round).filter(isWrong).length;
const LUN = 1;
const MARK = 'Hush-';
const ISCSID_LOG = '/run/lab/log/iscsid.log';
/**
 * open-iscsi, usr/initiator_common.c, iscsi_session_set_params, and usr/log.c, log_debug: from this level on iscsid
 * prints each value that it gives to the kernel, the secret among them.
 */
const TELLS_SECRETS = 4;
const lanes: { readonly volume: LioVolume; readonly target: LioTarget; readonly secret: string }[] = [];
let clean: Residue;

before(async () => {
  for (let lane = 0; lane < LANES; lane++) {
    const volume = await LioVolume.create({ name: `chap-secrets-${lane}`, sizeMiB: 8 });
    const secret = `${MARK}lane-${lane}`;
    const target = new LioTarget({
      iqn: `iqn.2026-11.org.example:chap-secrets-${lane}`,
      luns: { [LUN]: volume },
      portals: [{ address: TCP_ADDRESSES[0] }],
      chap: { username: 'volumes', password: secret },
    });
    lanes.push({ volume, target, secret });
  }
  await restartIscsid(TELLS_SECRETS - 1);
  clean = await readResidue();
});

after(async () => {
  await restartIscsid();
  for (const { target, volume } of lanes) {
    target.remove();
    await volume.remove();
  }
});

async function restartIscsid(level?: number): Promise<void> {
  await stopIscsid();
  await startIscsid(level);
}

function infoOf(lane: number, password = lanes[lane]?.secret ?? ''): unknown {
  const { volume, target } = lanes[lane] ?? {};
  assert.ok(volume !== undefined && target !== undefined);
  const { data, ...top } = connectionInfo(volume, target, LUN, [TCP_ADDRESSES[0]]) as { readonly data: object };
  return { ...top, data: { ...data, auth_method: 'CHAP', auth_username: 'volumes', auth_password: password } };
}

/** Everything that a driver said, at every level. */
class ToldTexts {
  readonly texts: string[] = [];
  readonly debug = (...said: readonly unknown[]): void => {
    this.add(said);
  };
  readonly info = (...said: readonly unknown[]): void => {
    this.add(said);
  };
  readonly warn = (...said: readonly unknown[]): void => {
    this.add(said);
  };

  add(value: unknown): void {
    this.texts.push(inspect(value, { depth: null, showHidden: true }));
  }

  get telling(): readonly string[] {
    return this.texts.filter((text) => text.includes(MARK));
  }
}

test(`${LANES * ROUNDS} volumes with CHAP, a tenth with a wrong secret, show it in their records alone`, async () => {
  const logAt = statSync(ISCSID_LOG).size;
  await tryRun('dmesg', ['-C']);
  const told = new ToldTexts();
  await using driver = volumeDriver({}, 'iscsi', told);
  const ends: string[] = [];
  const attachIn = async (lane: number): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) {
      const info = infoOf(lane, isWrong(round) ? `${MARK}wrong` : undefined);
      const outcome: unknown = await driver.connect(info).catch((error: unknown) => error);
      ends.push(isVolumeError(outcome) ? outcome.code : 'connected');
      if (isVolumeError(outcome) !== isWrong(round)) console.log(lane, round, inspect(outcome, { depth: 5 }));
      told.add(outcome);
      if (lane === 0 && round === 0) await requireRecordsAlone();
      if (!isVolumeError(outcome)) told.add(await driver.disconnect(info));
    }
  };
  const begin = performance.now();
  const sampled = await sampleProcesses(
    [MARK],
    async () =>
      await Promise.all(
        lanes.map(async (_lane, index) => {
          await attachIn(index);
        }),
      ),
  );
  const ran = driver.commands.processes.filter(({ program }) => program === 'iscsiadm').length;
  note('the record files', sampled, ran, begin);
  assert.deepEqual(
    [ends.filter((end) => end === 'connected').length, ends.filter((end) => end === 'LOGIN_AUTH_FAILED').length],
    [LANES * (ROUNDS - WRONG_ROUNDS), LANES * WRONG_ROUNDS],
  );
  assert.deepEqual(sampled.found, []);
  assert.ok((sampled.seen['iscsiadm'] ?? 0) >= ran / 2, 'too few iscsiadm were seen for a proof');
  assert.deepEqual(told.telling, []);
  assert.ok(
    told.texts.some((text) => text.includes('Ran a command') && text.includes('--login')),
    'the log was on',
  );
  const iscsid = readFileSync(ISCSID_LOG).subarray(logAt).toString();
  assert.ok(iscsid.includes('connection') && !iscsid.includes(MARK), 'iscsid told a secret, or nothing at all');
  assert.equal((await run('dmesg', [])).includes(MARK), false);
  await requireNothingLeft(clean);
  assert.deepEqual(await filesWithSecrets(), []);
});

test('sampleProcesses() and the iscsid log do show a secret under chap_secrets = "argv" and verbose logs', async () => {
  await restartIscsid(TELLS_SECRETS);
  const logAt = statSync(ISCSID_LOG).size;
  const told = new ToldTexts();
  await using driver = volumeDriver({ chap_secrets: 'argv' }, 'iscsi', told);
  const begin = performance.now();
  const sampled = await sampleProcesses([MARK], async () => {
    for (let round = 0; round < 4; round++) {
      await driver.connect(infoOf(0));
      await driver.disconnect(infoOf(0));
    }
  });
  note('arguments', sampled, driver.commands.processes.filter(({ program }) => program === 'iscsiadm').length, begin);
  assert.ok(
    sampled.found.some((line) => /^arguments of iscsiadm .*node\.session\.auth\.password/.test(line)),
    sampled.found.join('; '),
  );
  assert.ok(
    sampled.found.every((line) => line.startsWith('arguments of iscsiadm ')),
    sampled.found.join('; '),
  );
  assert.deepEqual(told.telling, []); // the driver's own log has it as *** even so
  assert.ok(readFileSync(ISCSID_LOG).subarray(logAt).toString().includes(MARK), 'iscsid told no secret');
  await requireNothingLeft(clean);
});

function note(way: string, { found, seen, looks }: Sampled, ran: number, begin: number): void {
  console.log(
    `by ${way}: ${looks} looks in ${Math.round(performance.now() - begin)} ms, ${seen['iscsiadm'] ?? 0} of ${ran} ` +
      `iscsiadm seen, ${found.length} with a secret`,
  );
}

/** While volumes are there. */
async function requireRecordsAlone(): Promise<void> {
  const files = await filesWithSecrets();
  assert.ok(files.length > 0, 'no record has a secret');
  for (const file of files)
    assert.ok(
      file.startsWith(`${databaseRoot()}/`) &&
        (statSync(file, { throwIfNoEntry: false })?.mode ?? 0o100600) === 0o100600,
      file,
    );
}

async function filesWithSecrets(): Promise<readonly string[]> {
  const { stdout } = await tryRun(
    'grep',
    ['-rlsF', '--devices=skip', '--exclude-dir=volumes', '--file=-', '/etc', '/run', '/tmp', '/var/lib', '/var/log'],
    { input: `${MARK}\n` },
  ); // as an argument it would be seen
  return stdout.split('\n').filter((file) => file !== '');
}
