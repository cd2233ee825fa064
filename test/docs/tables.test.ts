import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { TOKENS } from '../../src/tokens.js';
import { readPage } from './read-page.js';

/** What docs/dependency-injection.md calls a token whose name is about to change. */

test('docs/dependency-injection.md has a row for every token, and no other', () => {
  const [, table = ''] = /^## Tokens$(.*?)^## /ms.exec(readPage('docs/dependency-injection.md')) ?? [];
  const rows = [...table.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, token = '']) => token),
  );
  const tokens = Object.keys(TOKENS);
  expect(rows.toSorted()).toEqual(tokens.toSorted());
});

test('docs/configuration.md has every option with its default, in the order of the sample file', () => {
  const rows = [...readPage('docs/configuration.md').matchAll(/^\| \[`(\w+)`\]\(#\1\) \| `(.+)` \|$/gm)];
  const sample = [...readFileSync('config/libvirt-volume.toml', 'utf8').matchAll(/^(\w+) = (.+)$/gm)];
  const pairs = (matches: readonly RegExpExecArray[]): unknown => matches.map(([, key, value]) => [key, value]);
  expect(rows.length).toBeGreaterThan(10);
  expect(pairs(rows)).toEqual(pairs(sample));
});

test('docs/decisions/0006-dependencies.md has a row for every package that package.json lists', () => {
  const page = readPage('docs/decisions/0006-dependencies.md');
  const { dependencies, peerDependencies, devDependencies } = JSON.parse(
    readFileSync('package.json', 'utf8'),
  ) as Record<string, Readonly<Record<string, string>>>;
  const packages = Object.entries({ ...dependencies, ...peerDependencies, ...devDependencies }).flatMap(
    ([name, range]) => (range.startsWith('npm:') ? [] : [name]),
  );
  const named = [...page.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );
  const alongside = /^@(?:types|eslint|jest|swc)\//;
  expect(packages.filter((name) => !named.includes(name) && !alongside.test(name))).toEqual([]);
});
