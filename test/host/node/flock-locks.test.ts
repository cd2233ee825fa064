import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { throwIfAborted } from '../../../src/base/aborted.js';
import { SILENT } from '../../../src/base/logger.js';
import { VolumeError } from '../../../src/base/volume-error.js';
import { FlockLocks } from '../../../src/host/node/flock-locks.js';
import { SYSTEM_PROCESSES } from '../../../src/host/node/system-processes.js';
import { compileHost, temporaryFolder } from '../compiled-host.js';

const SIGNAL = new AbortController().signal;
let compiled: ReturnType<typeof compileHost>;
beforeAll(() => {
  compiled = compileHost();
});
afterAll(() => {
  compiled.remove();
});

async function said(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no stdout');
  const [text] = (await once(child.stdout, 'data')) as [unknown];
  return String(text).trim();
}

/** flock(1) itself, which holds the file until the result is called. */
async function heldByFlock(file: string): Promise<() => Promise<void>> {
  const child = spawn('flock', ['-x', file, 'sh', '-c', 'echo held; read -r _'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  expect(await said(child)).toBe('held');
  return async () => {
    child.stdin.end();
    await once(child, 'close');
  };
}

/** Another process with locks of this library. */
async function heldByAnother(
  directory: string,
  key: string,
  rootHelper: readonly string[] = [],
): Promise<ChildProcess> {
  const script = `
    const { FlockLocks } = await import('${compiled.folder}/host/node/flock-locks.js');
    const rootHelper = ${JSON.stringify(rootHelper)};
    const locks = new FlockLocks({ directory: '${directory}', waitMs: 5000, rootHelper });
    await locks.hold(['${key}'], new AbortController().signal, () => {
      console.log('held');
      return new Promise(() => setInterval(() => {}, 1000));
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(await said(child)).toBe('held');
  return child;
}

test('hold() waits for another process and goes on when that lets go', async () => {
  using folder = temporaryFolder();
  const letGo = await heldByFlock(`${folder.path}/iqn.a.lock`);
  const locks = new FlockLocks({ directory: folder.path, waitMs: 5000 });
  let entered = false;
  const holding = locks.hold(['iqn.a'], SIGNAL, async () => {
    entered = true;
  });
  await sleep(100);
  expect(entered).toBe(false);
  await letGo();
  await holding;
  expect(entered).toBe(true);
});

test('hold() of a lock that is free costs one process, which leaves none behind', async () => {
  using folder = temporaryFolder();
  const helpers = (): readonly (readonly string[])[] =>
    descendants(process.pid)
      .filter((pid) => commandLine(pid).includes(folder.path))
      .map((pid) => [commandLine(pid).split('\0')[0] ?? '', ...descendants(Number(pid))]);
  expect(
    await new FlockLocks({ directory: folder.path, waitMs: 5000 }).hold(['iqn.a'], SIGNAL, async () => helpers()),
  ).toEqual([['sh']]);
  expect(helpers()).toEqual([]);
});

/** The processes that this one started and those that they did. */
function descendants(pid: number): readonly string[] {
  const parents = new Map(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [name, / [A-Z] (\d+) /.exec(statusLine(name))?.[1]]),
  );
  const below = (parent: string): readonly string[] =>
    [...parents].filter(([, above]) => above === parent).flatMap(([child]) => [child, ...below(child)]);
  return below(String(pid));
}

function statusLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return ''; // it ended while we looked
  }
}

test('hold() keeps another process out', async () => {
  using folder = temporaryFolder();
  await new FlockLocks({ directory: folder.path, waitMs: 5000 }).hold(['iqn.a'], SIGNAL, async () => {
    const child = spawn('flock', ['-n', `${folder.path}/iqn.a.lock`, 'true']);
    expect(await once(child, 'close')).toEqual([1, null]);
  });
});

test('hold() rejects with LOCK_TIMED_OUT that names the key and the file', async () => {
  using folder = temporaryFolder();
  const letGo = await heldByFlock(`${folder.path}/iqn.a.lock`);
  await expect(
    new FlockLocks({ directory: folder.path, waitMs: 60 }).hold(['iqn.a'], SIGNAL, async () => 1),
  ).rejects.toMatchObject({
    code: 'LOCK_TIMED_OUT',
    details: { key: 'iqn.a' },
    hint: expect.stringContaining(`${folder.path}/iqn.a.lock`) as unknown,
  });
  await letGo();
});

test('hold() waits for a call of its own process no longer than for another process', async () => {
  using folder = temporaryFolder();
  const locks = new FlockLocks({ directory: folder.path, waitMs: 60 });
  const ran: string[] = [];
  const first = locks.hold(['iqn.a'], SIGNAL, async () => {
    await new Promise((resolve) => setTimeout(resolve, 400));
    ran.push('first');
  });
  await expect(
    locks.hold(['iqn.a'], SIGNAL, async () => {
      ran.push('second');
    }),
  ).rejects.toMatchObject({ code: 'LOCK_TIMED_OUT', details: { key: 'iqn.a' } });
  await first;
  await locks.hold(['iqn.a'], SIGNAL, async () => {
    ran.push('third');
  });
  expect(ran).toEqual(['first', 'third']);
});

test('hold() hears the signal while it waits for another process, and leaves no helper waiting', async () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/iqn.a.lock`;
  const letGo = await heldByFlock(file);
  const began = performance.now();
  await expect(
    new FlockLocks({ directory: folder.path, waitMs: 60_000 }).hold(['iqn.a'], AbortSignal.timeout(50), async () => 1),
  ).rejects.toMatchObject({ code: 'ABORTED' });
  expect(performance.now() - began).toBeLessThan(5000);
  const helpers = (): readonly string[] =>
    readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandLine(pid).includes(file));
  expect(helpers()).toHaveLength(1); // flock(1) of the holder; its sh does not name the file
  await letGo();
});

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it ended while we looked
  }
}

test('hold() hears the signal while it waits for this process', async () => {
  using folder = temporaryFolder();
  const locks = new FlockLocks({ directory: folder.path, waitMs: 60_000 });
  await locks.hold(['iqn.a'], SIGNAL, async () => {
    await expect(locks.hold(['iqn.a'], AbortSignal.timeout(20), async () => 1)).rejects.toMatchObject({
      code: 'ABORTED',
    });
    await expect(locks.hold(['iqn.a'], AbortSignal.abort(), async () => 1)).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

test('hold() leaves no file, after the body and after its failure', async () => {
  using folder = temporaryFolder();
  const directory = `${folder.path}/not/there/yet`;
  const locks = new FlockLocks({ directory, waitMs: 5000 });
  expect(await locks.hold(['iqn.b', 'iqn.a'], SIGNAL, async () => readdirSync(directory))).toEqual([
    'iqn.a.lock',
    'iqn.b.lock',
  ]);
  await expect(
    locks.hold(['iqn.a'], SIGNAL, async () => {
      throw new RangeError('mine');
    }),
  ).rejects.toThrow('mine');
  expect(readdirSync(directory)).toEqual([]);
});

/** Starts the helper below a process of its own, as sudo does. */
const LIKE_SUDO = ['sh', '-c', '"$@"; exit "$?"', 'sh'];
const ways: readonly (readonly [string, readonly string[]])[] = [
  ['', []],
  [' under root_helper', LIKE_SUDO],
];

test('hold() goes on at once when the holding process is killed with SIGKILL', async () => {
  await expectFreeAfterKill([]);
});

test('hold() goes on at once when the holding process is killed with SIGKILL under root_helper', async () => {
  await expectFreeAfterKill(LIKE_SUDO);
});

async function expectFreeAfterKill(rootHelper: readonly string[]): Promise<void> {
  using folder = temporaryFolder();
  const child = await heldByAnother(folder.path, 'iqn.a', rootHelper);
  const began = performance.now();
  const holding = new FlockLocks({ directory: folder.path, waitMs: 20_000 }).hold(
    ['iqn.a'],
    SIGNAL,
    async () => performance.now() - began,
  );
  child.kill('SIGKILL');
  expect(await holding).toBeLessThan(5000);
  expect(existsSync(`${folder.path}/iqn.a.lock`)).toBe(false);
}

/** The shell that holds the lock, which is the last of the processes that were started for it. */
function helperOf(directory: string): number {
  const pid = descendants(process.pid).findLast((one) => commandLine(one).includes(directory));
  if (pid === undefined) throw new Error('no helper');
  return Number(pid);
}

/** Until the signal aborts, for a second at most. */
async function untilAborted(signal: AbortSignal): Promise<unknown> {
  await sleep(1000, undefined, { signal }).catch(() => undefined);
  return signal.reason;
}

test.each(ways)(
  'hold() tells the body whose helper gets SIGKILL, and the next holder gets in%s',
  async (_way, rootHelper) => {
    using folder = temporaryFolder();
    const log: string[] = [];
    const logger = { ...SILENT, warn: (message: string) => log.push(message) };
    const locks = new FlockLocks({ directory: folder.path, waitMs: 5000, rootHelper, logger });
    const lost = { code: 'LOCK_LOST', details: { key: 'iqn.a' }, message: expect.stringContaining('iqn.a') as unknown };
    await expect(
      locks.hold(['iqn.a'], SIGNAL, async (held) => {
        process.kill(helperOf(folder.path), 'SIGKILL');
        const next = new FlockLocks({ directory: folder.path, waitMs: 5000 });
        expect(await next.hold(['iqn.a'], SIGNAL, async () => 'in')).toBe('in');
        expect(await untilAborted(held)).toMatchObject(lost);
        throwIfAborted(held);
      }),
    ).rejects.toMatchObject(lost);
    expect(log).toEqual(['Lost a lock while a call held it']);
    expect(await locks.hold(['iqn.a'], SIGNAL, async () => 'again')).toBe('again');
  },
);

test('hold() keeps the result of a body that ended before it could notice the loss, and logs it', async () => {
  using folder = temporaryFolder();
  const log: string[] = [];
  const logger = { ...SILENT, warn: (message: string) => log.push(message) };
  const locks = new FlockLocks({ directory: folder.path, waitMs: 5000, logger });
  const held = locks.hold(['iqn.a', 'iqn.b'], SIGNAL, async (signal) => {
    process.kill(helperOf(folder.path), 'SIGKILL');
    await untilAborted(signal);
    return 'done';
  });
  expect(await held).toBe('done');
  expect(log).toEqual(['Lost a lock while a call held it']);
});

test.each(ways)('hold() keeps its lock when the helper gets SIGTERM, SIGINT and SIGHUP%s', async (_way, rootHelper) => {
  using folder = temporaryFolder();
  const locks = new FlockLocks({ directory: folder.path, waitMs: 5000, rootHelper });
  await locks.hold(['iqn.a'], SIGNAL, async (held) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(helperOf(folder.path), signal);
    await sleep(100);
    expect(held.aborted).toBe(false);
    expect(await once(spawn('flock', ['-n', `${folder.path}/iqn.a.lock`, 'true']), 'close')).toEqual([1, null]);
  });
  expect(readdirSync(folder.path)).toEqual([]);
});

test('hold() that waits keeps waiting when its helper gets SIGTERM', async () => {
  using folder = temporaryFolder();
  const letGo = await heldByFlock(`${folder.path}/iqn.a.lock`);
  const holding = new FlockLocks({ directory: folder.path, waitMs: 5000 }).hold(['iqn.a'], SIGNAL, async () => 'in');
  await sleep(200);
  const shells = descendants(process.pid).filter((pid) => commandLine(pid).startsWith('sh\0-c'));
  const waiting = shells.filter((pid) => commandLine(pid).includes(folder.path));
  for (const pid of [...waiting, ...waiting.flatMap((shell) => descendants(Number(shell)))])
    process.kill(Number(pid), 'SIGTERM');
  await sleep(50);
  await letGo();
  expect(await holding).toBe('in');
});

test("hold() passes the caller's abort on to the body", async () => {
  using folder = temporaryFolder();
  const caller = new AbortController();
  const locks = new FlockLocks({ directory: folder.path, waitMs: 5000 });
  await locks.hold(['iqn.b', 'iqn.a'], caller.signal, async (held) => {
    caller.abort(new RangeError('mine'));
    expect(held.reason).toMatchObject({ message: 'mine' });
  });
});

test('hold() of several keys has one deadline for all of them', async () => {
  using folder = temporaryFolder();
  const [first, second] = [
    await heldByFlock(`${folder.path}/iqn.a.lock`),
    await heldByFlock(`${folder.path}/iqn.b.lock`),
  ];
  const began = performance.now();
  const holding = new FlockLocks({ directory: folder.path, waitMs: 3000 }).hold(
    ['iqn.a', 'iqn.b'],
    SIGNAL,
    async () => 1,
  );
  const refused = expect(holding).rejects.toMatchObject({ code: 'LOCK_TIMED_OUT', details: { key: 'iqn.b' } });
  await sleep(1500);
  await first();
  await refused;
  expect(performance.now() - began).toBeLessThan(4200);
  await second();
});

test('hold() rejects with LOCK_TIMED_OUT that names the process that has the lock, and since when', async () => {
  using folder = temporaryFolder();
  const began = Date.now();
  const child = await heldByAnother(folder.path, 'iqn.a');
  const refused = await failureOf(new FlockLocks({ directory: folder.path, waitMs: 60 }));
  const program = readFileSync(`/proc/${child.pid ?? 0}/comm`, 'utf8').trim();
  expect(refused).toMatchObject({ code: 'LOCK_TIMED_OUT', details: { key: 'iqn.a', pid: child.pid, program } });
  const { since } = refused.details;
  expect(Math.abs(Date.parse(String(since)) - began)).toBeLessThan(10_000);
  expect(refused.message).toContain(`process ${child.pid ?? 0} (${program}) has held it since ${String(since)}`);
  expect(refused.hint).toContain(`-p ${child.pid ?? 0} `);
  child.kill('SIGKILL');
});

test('hold() rejects with LOCK_TIMED_OUT that names this process where another call of it has the lock', async () => {
  using folder = temporaryFolder();
  const locks = new FlockLocks({ directory: folder.path, waitMs: 60 });
  await locks.hold(['iqn.a'], SIGNAL, async () => {
    expect(await failureOf(locks)).toMatchObject({
      message: expect.stringContaining('another call of this process') as unknown,
      details: { key: 'iqn.a', pid: process.pid },
    });
  });
});

test.each([
  ['of an older version, which is empty', ''],
  ['that names a process which has ended', 'pid=PID start=1 boot=BOOT namespaces=SPACES'],
  ['that names a process of another container', 'pid=PID start=START boot=BOOT namespaces=1.1'],
  ['that names a process of another boot', 'pid=PID start=START boot=0 namespaces=SPACES'],
  ['that somebody else has written', 'what is this?'],
])('hold() rejects with LOCK_TIMED_OUT that names nobody by a lock file %s', async (_what, text) => {
  using folder = temporaryFolder();
  const file = `${folder.path}/iqn.a.lock`;
  const { bootId, namespaces, start } = await SYSTEM_PROCESSES.self();
  const letGo = await heldByFlock(file);
  writeFileSync(
    file,
    text
      .replace('PID', String(process.pid))
      .replace('START', start)
      .replace('BOOT', bootId)
      .replace('SPACES', namespaces),
  );
  expect(await failureOf(new FlockLocks({ directory: folder.path, waitMs: 60 }))).toMatchObject({
    details: { key: 'iqn.a' },
    hint: expect.stringContaining('fuser') as unknown,
  });
  await letGo();
});

async function failureOf(locks: FlockLocks): Promise<VolumeError> {
  const error: unknown = await locks.hold(['iqn.a'], SIGNAL, async () => 1).catch((failure: unknown) => failure);
  if (error instanceof VolumeError) return error;
  throw new Error('not refused');
}

test('hold() of one body at a time, in the order of the calls', async () => {
  using folder = temporaryFolder();
  const locks = new FlockLocks({ directory: folder.path, waitMs: 5000 });
  const order: string[] = [];
  const body = (name: string) => async (): Promise<void> => {
    order.push(`${name} in`);
    await sleep(10);
    order.push(`${name} out`);
  };
  await Promise.all(['1', '2', '3'].map((name) => locks.hold(['iqn.a'], SIGNAL, body(name))));
  expect(order).toEqual(['1 in', '1 out', '2 in', '2 out', '3 in', '3 out']);
});

test('hold() of the same keys in another order and twice does not wait for itself', async () => {
  using folder = temporaryFolder();
  const [one, other] = [
    new FlockLocks({ directory: folder.path, waitMs: 5000 }),
    new FlockLocks({ directory: folder.path, waitMs: 5000 }),
  ];
  const bodies = Array.from({ length: 4 }, (_unused, index) =>
    index % 2 === 0
      ? one.hold(['iqn.a', 'iqn.b', 'iqn.a'], SIGNAL, async () => index)
      : other.hold(['iqn.b', 'iqn.a'], SIGNAL, async () => index),
  );
  expect(await Promise.all(bodies)).toEqual([0, 1, 2, 3]);
});

test('hold() of two targets does not wait for one another', async () => {
  using folder = temporaryFolder();
  const locks = new FlockLocks({ directory: folder.path, waitMs: 5000 });
  expect(await locks.hold(['iqn.a'], SIGNAL, async () => await locks.hold(['iqn.b'], SIGNAL, async () => 'both'))).toBe(
    'both',
  );
});

test('hold() in a folder that cannot be made rejects with PERMISSION_DENIED', async () => {
  await expect(
    new FlockLocks({ directory: '/proc/no', waitMs: 100 }).hold(['iqn.a'], SIGNAL, async () => 1),
  ).rejects.toMatchObject({ code: 'PERMISSION_DENIED', hint: expect.stringContaining('lock_directory') as unknown });
});
