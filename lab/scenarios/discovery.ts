// releases: 13 12
// takes: 16 s
// limit: 900 s
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SILENT } from '../../src/base/logger.js';
import { Secret } from '../../src/base/secret.js';
import { isVolumeError } from '../../src/base/volume-error.js';
import { formatPortal, parsePortal } from '../../src/connection/portal.js';
import { parseTargetName } from '../../src/connection/target-name.js';
import { ExecaCommandRunner } from '../../src/host/node/execa-command-runner.js';
import { NodeFileSystem } from '../../src/host/node/node-file-system.js';
import { SYSTEM_CLOCK } from '../../src/host/node/system-clock.js';
import { SYSTEM_HOST_NAMES } from '../../src/host/node/system-host-names.js';
import { parseIfaceName } from '../../src/iface/iface-name.js';
import { discoverPortals } from '../../src/initiator/discovery/discover-portals.js';
import { run, tryRun } from '../machine/commands.js';
import { databaseRoot } from '../machine/database-root.js';
import { demandDiscoveryAuth } from '../machine/discovery-auth.js';
import { HOST_DATABASE } from '../machine/host-database.js';
import { processesWith } from '../machine/libvirt-volume.js';
import { type Chap, ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { faultyPortal } from '../machine/portal-faults.js';
import { after, before, test } from '../machine/scenario.js';

/**
 * Which portals a target has, asked of the machine's own targets with the real open-iscsi; and what is left of the
 * asking in its database: nothing.
 */
const IQN = 'iqn.2026-11.org.example:discovery';
const OTHER_IQN = 'iqn.2026-11.org.example:discovery-other';
const [FIRST, SECOND, SILENT_ADDRESS, ABSENT] = TCP_ADDRESSES;
const FINDER: Chap = { username: 'finder', password: 'Finder-Secret-42' };
const WRONG: Chap = { username: 'finder', password: 'Wrong-Secret-0815' };
const PARTS = {
  commands: new ExecaCommandRunner({ logger: SILENT }),
  files: new NodeFileSystem(),
  database: HOST_DATABASE,
  clock: SYSTEM_CLOCK,
  hostNames: SYSTEM_HOST_NAMES,
  logger: SILENT,
  loginTimeoutMs: 3000,
};
const targets: LioTarget[] = [];
let clean: readonly string[];

before(() => {
  clean = database();
  targets.push(
    new LioTarget({
      iqn: IQN,
      luns: {},
      portals: [{ address: FIRST }, { address: SECOND, port: 3261 }, { address: ISER_ADDRESS, iser: true }],
    }),
    new LioTarget({ iqn: OTHER_IQN, luns: {}, portals: [{ address: FIRST }, { address: SILENT_ADDRESS }] }),
  );
});

after(() => {
  for (const target of targets) target.remove();
});

test("discoverPortals() over tcp lists the target's portals in its order, and no other target's", async () => {
  assert.deepEqual(await discover(FIRST), [`${FIRST}:3260`, `${SECOND}:3261`, `${ISER_ADDRESS}:3260`]);
  assert.deepEqual(await discover(FIRST, { target: OTHER_IQN }), [`${FIRST}:3260`, `${SILENT_ADDRESS}:3260`]);
  assert.equal(await refusal(discover(FIRST, { target: `${IQN}-absent` })), 'LOGIN_REFUSED');
  assert.deepEqual(database(), clean);
});

test('discoverPortals() over iser lists the portals that serve iSER, where TCP is blocked', async () => {
  await during(await faultyPortal(ISER_ADDRESS, 'reject-tcp'), async () => {
    assert.equal(await refusal(discover(ISER_ADDRESS)), 'PORTAL_UNREACHABLE');
    assert.deepEqual(await discover(ISER_ADDRESS, { iface: 'iser' }), [`${ISER_ADDRESS}:3260`]);
    assert.deepEqual(database(), clean);
  });
});

test('discoverPortals() fails at once on a portal that refuses, after one login timeout on a silent one', async () => {
  assert.equal(await refusal(discover(ABSENT)), 'PORTAL_UNREACHABLE');
  await during(await faultyPortal(SILENT_ADDRESS, 'drop'), async () => {
    const begin = performance.now();
    assert.equal(await refusal(discover(SILENT_ADDRESS)), 'PORTAL_UNREACHABLE');
    const ms = performance.now() - begin;
    assert.ok(ms > 2_000 && ms < 9_000, `it took ${ms} ms`);
  });
  assert.deepEqual(database(), clean);
});

test('discoverPortals() with CHAP accepts the right secret alone, and shows it in no process', async () => {
  await during(demandDiscoveryAuth(FINDER), async () => {
    const right = async (): Promise<void> => {
      assert.deepEqual(await discover(FIRST, { chap: FINDER }), [
        `${FIRST}:3260`,
        `${SECOND}:3261`,
        `${ISER_ADDRESS}:3260`,
      ]);
      assert.deepEqual(await discover(ISER_ADDRESS, { chap: FINDER, iface: 'iser' }), [`${ISER_ADDRESS}:3260`]);
    };
    const wrong = async (): Promise<void> => {
      for (const iface of ['default', 'iser']) {
        const begin = performance.now();
        const code = await refusal(discover(iface === 'iser' ? ISER_ADDRESS : FIRST, { chap: WRONG, iface }));
        assert.ok(performance.now() - begin < 6_000, 'it was tried again');
        // LIO ends the connection right behind its refusal, which soft RoCE may lose with it: this end then sees a
        // portal that does not answer.
        assert.ok(code === 'LOGIN_AUTH_FAILED' || (iface === 'iser' && code === 'PORTAL_UNREACHABLE'), code);
      }
    };
    assert.deepEqual(await processesWith(FINDER.password, severalTimes(right)), []);
    assert.deepEqual(await processesWith(WRONG.password, severalTimes(wrong)), []);
    assert.equal(await refusal(discover(FIRST)), 'LOGIN_AUTH_FAILED');
    assert.deepEqual(database(), clean);
  });
});

test('discoverPortals() called twice at once for a portal keeps a right and a wrong secret apart', async () => {
  await during(demandDiscoveryAuth(FINDER), async () => {
    const [found, code] = await Promise.all([
      discover(FIRST, { chap: FINDER }),
      refusal(discover(FIRST, { chap: WRONG, target: OTHER_IQN })),
    ]);
    assert.equal(found.length, 3);
    assert.equal(code, 'LOGIN_AUTH_FAILED');
    assert.deepEqual(database(), clean);
  });
});

test("discoverPortals() neither uses nor changes an administrator's records of the portal", async () => {
  await during(demandDiscoveryAuth(FINDER), async () => {
    const record = ['-m', 'discoverydb', '-t', 'sendtargets', '-p', `${FIRST}:3260`];
    await run('iscsiadm', [...record, '-o', 'new']);
    try {
      for (const [key, value] of [
        ['authmethod', 'CHAP'],
        ['username', FINDER.username],
        ['password', FINDER.password],
      ] as const)
        await run('iscsiadm', [...record, '-o', 'update', '-n', `discovery.sendtargets.auth.${key}`, '-v', value]);
      await run('iscsiadm', [...record, '-I', 'default', '--discover']);
      const theirs = database();
      assert.ok(
        theirs.some((line) => line.includes(FINDER.password)) && theirs.some((line) => line.includes('/nodes/')),
        theirs.join('\n'),
      );
      assert.equal(await refusal(discover(FIRST)), 'LOGIN_AUTH_FAILED');
      assert.equal(await refusal(discover(FIRST, { chap: WRONG })), 'LOGIN_AUTH_FAILED');
      assert.equal((await discover(FIRST, { chap: FINDER })).length, 3);
      assert.deepEqual(database(), theirs);
    } finally {
      for (const target of [IQN, OTHER_IQN]) await tryRun('iscsiadm', ['-m', 'node', '-T', target, '-o', 'delete']);
      await tryRun('iscsiadm', [...record, '-o', 'delete']);
    }
  });
});

async function discover(
  address: string,
  {
    target = IQN,
    iface = 'default',
    chap,
  }: { readonly target?: string; readonly iface?: string; readonly chap?: Chap } = {},
): Promise<readonly string[]> {
  const begin = performance.now();
  const search = {
    portal: parsePortal(address),
    target: parseTargetName(target),
    iface: parseIfaceName(iface),
    chap: chap === undefined ? undefined : { username: chap.username, password: new Secret(chap.password) },
  };
  try {
    return (await discoverPortals(PARTS, search, AbortSignal.timeout(60_000))).map(formatPortal);
  } finally {
    console.log(`${address} over ${iface}: ${Math.round(performance.now() - begin)} ms`);
  }
}

/** So that there is time to look at the processes. */
async function severalTimes(work: () => Promise<void>): Promise<void> {
  for (let time = 0; time < 3; time++) await work();
}

async function during(state: Disposable | AsyncDisposable, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } finally {
    if (Symbol.asyncDispose in state) await state[Symbol.asyncDispose]();
    else state[Symbol.dispose]();
  }
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => 'it was not refused',
    (reason: unknown) => reason,
  );
  if (!isVolumeError(error)) throw error instanceof Error ? error : new Error(String(error));
  console.log(`${error.code}: ${error.message}`);
  return error.code;
}

/** Every file of open-iscsi's database: where it is, its mode, its text; and the sessions. */
function database(): readonly string[] {
  const files = [
    ...['nodes', 'send_targets', 'static', 'ifaces'].map((name) => `${databaseRoot()}/${name}`),
    '/run/lock/iscsi',
  ].flatMap((folder) => below(folder));
  return [...files, ...entries('/sys/class/iscsi_session')].toSorted();
}

function below(folder: string): readonly string[] {
  return entries(folder).flatMap((name) => {
    const path = join(folder, name);
    const { mode } = statSync(path);
    const isFile = (mode & 0o170_000) === 0o100_000;
    return [
      [path, mode.toString(8), ...(isFile ? [JSON.stringify(readFileSync(path, 'utf8'))] : [])].join(' '),
      ...((mode & 0o170_000) === 0o040_000 ? below(path) : []),
    ];
  });
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
