import { existsSync } from 'node:fs';
import { inspect } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { SILENT } from '../../../src/base/logger.js';
import { Secret } from '../../../src/base/secret.js';
import type { Argument, Command, TimeoutPolicy } from '../../../src/host/command.js';
import { ExecaCommandRunner } from '../../../src/host/node/execa-command-runner.js';
import { RecordedLog } from '../../driver/recorded-world.js';
import { temporaryFolder } from '../compiled-host.js';

const runner = new ExecaCommandRunner({ logger: SILENT });
const SIGNAL = new AbortController().signal;
const KILL: TimeoutPolicy = { kind: 'kill', ms: 10_000 };
const sh = (script: string, patience = KILL, ...args: readonly Argument[]): Command => ({
  program: 'sh',
  args: ['-c', script, 'sh', ...args],
  patience,
});

test('run() gives exit status and output, and takes a nonzero status for an answer', async () => {
  expect(await runner.run(sh('echo out; echo err >&2; exit 21'), SIGNAL)).toEqual({
    exitCode: 21,
    stdout: 'out\n',
    stderr: 'err\n',
  });
});
test('run() gives the input to the command', async () => {
  expect(await runner.run({ ...sh('cat'), input: 'text\n' }, SIGNAL)).toMatchObject({ stdout: 'text\n' });
});
test('run() without input gives the command none to wait for', async () => {
  expect(await runner.run(sh('cat'), SIGNAL)).toMatchObject({ stdout: '' });
});
test('run() speaks English', async () => {
  expect(await runner.run(sh('printf %s "$LC_ALL"'), SIGNAL)).toMatchObject({ stdout: 'C' });
});
test('run() passes a text with blanks and metacharacters as one argument', async () => {
  expect(await runner.run(sh('printf "%s|" "$@"', KILL, 'a b', '$(id)', '-n', '"'), SIGNAL)).toMatchObject({
    stdout: 'a b|$(id)|-n|"|',
  });
});

test('run() gives the secret to the command and shows it to nobody else', async () => {
  const logger = new RecordedLog();
  const command = sh('printf %s "$1"; exit 3', KILL, new Secret('hush-hush'));
  expect(await new ExecaCommandRunner({ logger }).run(command, SIGNAL)).toMatchObject({ stdout: 'hush-hush' });
  expect(logger.lines).toHaveLength(1);
  expect(inspect(logger.lines, { depth: null })).toContain('***');
  expect(inspect(logger.lines, { depth: null })).not.toContain('hush');
});

test('run() of a command that is killed or too slow shows no secret', async () => {
  for (const script of ['kill -9 $$', 'exec sleep 5']) {
    const error: unknown = await runner
      .run(sh(script, { kind: 'kill', ms: 300 }, new Secret('hush-hush')), SIGNAL)
      .catch((reason: unknown) => reason);
    expect({
      isError: error instanceof Error,
      tells: [String(error), inspect(error, { depth: null }), JSON.stringify(error)].some((text) =>
        text.includes('hush'),
      ),
    }).toEqual({ isError: true, tells: false });
  }
});

test('run() of a program that is not there rejects with COMMAND_NOT_FOUND and the package to install', async () => {
  await expect(
    new ExecaCommandRunner({ logger: SILENT, rootHelper: [] }).run(
      { program: 'iscsiadm-that-is-not-there', args: [], patience: KILL },
      SIGNAL,
    ),
  ).rejects.toMatchObject({
    code: 'COMMAND_NOT_FOUND',
    hint: expect.stringContaining('install the package') as unknown,
  });
});
test('run() puts the root helper in front', async () => {
  expect(
    await new ExecaCommandRunner({ logger: SILENT, rootHelper: ['env', 'HELPED=yes'] }).run(
      sh('printf %s "$HELPED"'),
      SIGNAL,
    ),
  ).toMatchObject({ stdout: 'yes' });
});

test.each<['kill' | 'wait', boolean]>([
  ['kill', false],
  ['wait', true],
])(
  'run() with patience "%s" rejects with COMMAND_TIMED_OUT when the time is up; the process went on: %p',
  async (kind, wentOn) => {
    using folder = temporaryFolder();
    await expect(
      runner.run(sh('sleep 0.5; : > "$1"', { kind, ms: 100 }, `${folder.path}/done`), SIGNAL),
    ).rejects.toMatchObject({ code: 'COMMAND_TIMED_OUT' });
    await sleep(1000);
    expect(existsSync(`${folder.path}/done`)).toBe(wentOn);
  },
);

test('run() with patience "kill" ends the process when the signal aborts', async () => {
  await expect(runner.run(sh('exec sleep 20'), AbortSignal.timeout(50))).rejects.toMatchObject({ code: 'ABORTED' });
});
test('run() with patience "wait" ignores the signal while the process runs', async () => {
  expect(
    await runner.run(sh('sleep 0.2; echo whole', { kind: 'wait', ms: 5000 }), AbortSignal.timeout(20)),
  ).toMatchObject({ exitCode: 0, stdout: 'whole\n' });
});
test.each(['kill', 'wait'] as const)(
  'run() with patience "%s" starts nothing once the signal has aborted',
  async (kind) => {
    using folder = temporaryFolder();
    await expect(
      runner.run(sh(': > "$1"', { kind, ms: 1000 }, `${folder.path}/started`), AbortSignal.abort()),
    ).rejects.toMatchObject({ code: 'ABORTED' });
    expect(existsSync(`${folder.path}/started`)).toBe(false);
  },
);
