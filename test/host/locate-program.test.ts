import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { SILENT } from '../../src/base/logger.js';
import { ExecaCommandRunner } from '../../src/host/node/execa-command-runner.js';
import { temporaryFolder } from './compiled-host.js';

const SIGNAL = new AbortController().signal;
const temporary = temporaryFolder();
const folder = temporary.path;
const path = process.env['PATH'];
const locate = async (program: string, rootHelper: readonly string[] = []): Promise<string | undefined> =>
  await new ExecaCommandRunner({ logger: SILENT, rootHelper }).locate(program, SIGNAL);

function program(where: string, mode = 0o755): string {
  mkdirSync(`${folder}/${where}`, { recursive: true });
  writeFileSync(`${folder}/${where}/some-tool`, '#!/bin/sh\n');
  chmodSync(`${folder}/${where}/some-tool`, mode);
  return `${folder}/${where}/some-tool`;
}

beforeEach(() => {
  process.env['PATH'] = `${folder}/one:${folder}/two:relative:${path ?? ''}`;
});
afterEach(() => {
  process.env['PATH'] = path;
});
afterAll(() => {
  temporary[Symbol.dispose]();
});

test('locate() gives the first program of PATH, and passes over folders and files that cannot be run', async () => {
  const second = program('two');
  mkdirSync(`${folder}/one/some-tool`, { recursive: true });
  expect(await locate('some-tool')).toBe(second);
  process.env['PATH'] = `${folder}/three:${folder}/two`;
  program('three', 0o644);
  expect(await locate('some-tool')).toBe(second);
});

test('locate() looks in /usr/sbin and /sbin as well, as run() does', async () => {
  process.env['PATH'] = '/nowhere';
  expect(await locate('chroot')).toMatch(/^\/(?:usr\/)?sbin\/chroot$/);
});

test("locate() uses the helper's PATH for commands through a root helper, else the library's own", async () => {
  const [first, second] = [program('two'), program('four')];
  expect(await locate('some-tool', ['env', `PATH=${folder}/four:${path ?? ''}`])).toBe(second);
  expect(await locate('some-tool', ['false'])).toBe(first);
});

test('locate() of a program that is not there rejects with COMMAND_NOT_FOUND', async () => {
  await expect(locate('iscsiadm-that-is-not-there')).rejects.toMatchObject({ code: 'COMMAND_NOT_FOUND' });
});
