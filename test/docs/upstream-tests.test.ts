import { existsSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { hasTest, readProvenRows } from './proven-table.js';
import { readPage } from './read-page.js';

const page = readPage('docs/upstream-tests.md');
const rows = readProvenRows(page);
const STATUSES = ['test', 'differs', 'not applicable', 'open'];
/** How many lines each part of the inventory has. */
const PARTS: Readonly<Record<string, number>> = { I: 75, B: 6, L: 24, U: 8, N: 18, D: 15, P: 13 };

test('docs/upstream-tests.md has every number exactly once, in order', () => {
  const expected = Object.entries(PARTS).flatMap(([part, last]) =>
    Array.from({ length: last }, (_unused, index) => `${part}${index + 1}`),
  );
  expect(rows.map(({ number }) => number)).toEqual(expected);
});

test.each(rows)('docs/upstream-tests.md, $number, names existing tests and files', ({ status, tests, files }) => {
  expect(STATUSES).toContain(status);
  expect(tests.filter((one) => !hasTest(one))).toEqual([]);
  expect(files.filter((file) => !existsSync(file))).toEqual([]);
  if (status === 'test') expect(tests).not.toEqual([]);
  if (status === 'differs') expect([...tests, ...files]).not.toEqual([]);
});

test('docs/upstream-tests.md counts its rows', () => {
  for (const status of STATUSES)
    expect(page).toContain(`| **${status}** | ${rows.filter((row) => row.status === status).length} |`);
});
