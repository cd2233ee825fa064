import { expect, test } from '@jest/globals';
import { ERROR_EXIT_STATUS } from '../../src/base/volume-error.js';
import { cli } from './cli-fixture.js';
import { readPage } from '../docs/read-page.js';

const errors = readPage('docs/errors.md');
const commandLine = readPage('docs/command-line.md');

test('docs/errors.md explains every error code under a heading of its own, and no other', () => {
  const headings = [...errors.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading ?? '');
  expect([...headings].sort()).toEqual(Object.keys(ERROR_EXIT_STATUS).sort());
});

test('docs/errors.md lists those with exit status 2, and no other, as wrong input', () => {
  const [, wrongInput = ''] = errors.split(/^## /m);
  const headings = [...wrongInput.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading ?? '');
  const codes = Object.entries(ERROR_EXIT_STATUS).flatMap(([code, status]) => (status === 2 ? [code] : []));
  expect([...headings].sort()).toEqual([...codes].sort());
});

test('docs/errors.md says for each code who can act and what to do', () => {
  for (const section of errors.split(/^### /m).slice(1)) {
    expect({
      section: section.split('\n')[0],
      said: section.includes('_Who:_') && /_What\s+to\s+do:_/.test(section),
    }).toMatchObject({ said: true });
  }
});

test('docs/command-line.md lists every command of --help, and no other', async () => {
  const { stdout } = await cli()(['--help']);
  const [, listed = ''] = /^Commands:\n((?: {2}.*\n)+)/m.exec(stdout) ?? [];
  const commands = [...listed.matchAll(/^ {2}([a-z][\w-]*)/gm)].map(([, name]) => name ?? '');
  const [table = ''] = commandLine.split('FILE is JSON');
  const documented = [...table.matchAll(/^\| `([a-z-]+)/gm)].map(([, name]) => name ?? '');
  expect(commands.length).toBeGreaterThan(3);
  expect([...documented].sort()).toEqual([...commands].sort());
});
