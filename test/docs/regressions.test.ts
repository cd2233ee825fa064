import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { hasTest, readProvenRows } from './proven-table.js';
import { readPage } from './read-page.js';

const page = readPage('docs/regressions.md');
const rows = readProvenRows(page);
const STATUSES = ['test', 'design', 'not applicable', 'open'];

test('docs/regressions.md has every number exactly once', () => {
  const upTo = (prefix: string, last: number): readonly string[] =>
    Array.from({ length: last }, (_unused, index) => `${prefix}${index + 1}`);
  const expected = [...upTo('R', 111), 'R66b', ...upTo('W-', 35)];
  expect(rows.map(({ number }) => number).toSorted()).toEqual(expected.toSorted());
});

test.each(rows)('docs/regressions.md, $number, names existing tests and files', ({ status, tests, files, words }) => {
  expect(STATUSES).toContain(status);
  expect(tests.filter((one) => !hasTest(one))).toEqual([]);
  expect(files.filter((file) => !existsSync(file))).toEqual([]);
  if (status === 'test') expect(tests).not.toEqual([]);
  if (status === 'design') expect(files).not.toEqual([]);
  expect(words).toMatch(/\w/);
});

test('docs/regressions.md counts its rows', () => {
  const counted = STATUSES.map((status) => `| **${status}** | ${rows.filter((row) => row.status === status).length} |`);
  for (const line of counted) expect(page).toContain(line);
});

test("docs/regressions.md has a row for each number in a test's title", () => {
  const numbers = new Set(rows.map(({ number }) => number));
  const named = [
    'test/driver/regressions.test.ts',
    'test/driver/regressions-connect.test.ts',
    'test/driver/regressions-disconnect.test.ts',
  ].flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/\((?:(?:R\d+b?|W-\d+)(?:, )?)+\)/g)].flatMap(([list]) =>
      list.slice(1, -1).split(', '),
    ),
  );
  expect(named.length).toBeGreaterThan(40);
  expect(named.filter((number) => !numbers.has(number))).toEqual([]);
});
