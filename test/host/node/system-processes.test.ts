import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { SYSTEM_PROCESSES } from '../../../src/host/node/system-processes.js';
import { knowCoreErrors } from '../core-errors.js';

knowCoreErrors();

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds())
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
};
const self = await SYSTEM_PROCESSES.self();
const startOf = (pid: number): string =>
  readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19] ?? '';

async function sleeper(): Promise<{ readonly child: ChildProcess; readonly pid: number }> {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  if (child.pid === undefined) throw new Error('sleep did not start');
  return { child, pid: child.pid };
}

test('self() is this process, with boot, namespaces and start', () => {
  expect(self).toEqual({
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    namespaces: expect.stringMatching(/^\d+\.\d+$/) as unknown,
    pid: process.pid,
    start: startOf(process.pid),
  });
});

test('hasEnded() is false of a process that runs, and true once it has been killed', async () => {
  const { child, pid } = await sleeper();
  const identity = { ...self, pid, start: startOf(pid) };
  expect(await SYSTEM_PROCESSES.hasEnded(identity)).toBe(false);
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
  expect(await SYSTEM_PROCESSES.hasEnded(identity)).toBe(true);
});

test('hasEnded() is true of a killed process that its parent has not looked after yet', async () => {
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 61'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  // A shell that still runs would look after its child; the sleep that it becomes never does.
  await until(() => readFileSync(`/proc/${parent.pid}/comm`, 'utf8') === 'sleep\n');
  const identity = { ...self, pid, start: startOf(pid) };
  process.kill(pid, 'SIGKILL');
  await until(() => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
  expect(await SYSTEM_PROCESSES.hasEnded(identity)).toBe(true);
  parent.kill('SIGKILL');
});

test.each([
  ['another start of the same number', { ...self, start: '1' }, true],
  ['another boot', { ...self, bootId: '00000000-0000-4000-8000-000000000000' }, true],
  ['a number that nobody has', { ...self, pid: 2 ** 22 + 1 }, true],
  ['this process', self, false],
  ["process 1, which is another user's or root's", { ...self, pid: 1, start: startOf(1) }, false],
  ['another pid namespace', { ...self, namespaces: '1.1', pid: 2 ** 22 + 1 }, false],
  ['unknown namespaces', { ...self, namespaces: '', pid: 2 ** 22 + 1 }, false],
  ['an unknown boot', { ...self, bootId: '', pid: 2 ** 22 + 1 }, false],
  ['an unknown start', { ...self, start: '' }, false],
])('hasEnded() of %s', async (_what, identity, expected) => {
  expect(await SYSTEM_PROCESSES.hasEnded(identity)).toBe(expected);
});
