import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { readPage } from './read-page.js';

const page = readPage('docs/waits.md');
const [, table = ''] = /^## The limits$(.*?)^## /ms.exec(page) ?? [];
const rows = [
  ...table.matchAll(/^\| (?!what |-)(.+?) \| (\d+) (ms|s), `(\w+)`(?: in `(src\/\S+\.ts)`)? \| (.+) \|$/gm),
].map(([, what = '', number = '', unit, name = '', file]) => ({
  what,
  name,
  file,
  ms: Number(number) * (unit === 's' ? 1_000 : 1),
}));

test('docs/waits.md names the limit of each wait as an option or a constant', () => {
  expect(rows.length).toBeGreaterThan(25);
  expect(rows).toHaveLength([...table.matchAll(/^\| (?!what |-)/gm)].length);
});

test.each(rows)('docs/waits.md has the limit of the code: $what', ({ name, file, ms }) => {
  const text = readFileSync(file ?? 'config/libvirt-volume.toml', 'utf8');
  const [, value = ''] = new RegExp(`^(?:export )?(?:const )?${name} = ([\\d_]+);?$`, 'm').exec(text) ?? [];
  expect(Number(value.replaceAll('_', '')) * (file === undefined ? 1_000 : 1)).toBe(ms);
});

test('docs/waits.md has a row for every kind of write to the kernel', () => {
  const file = 'src/host/kernel-writes.ts';
  const constants = [...readFileSync(file, 'utf8').matchAll(/^export const (\w+_MS) = /gm)].map(([, name]) => name);
  const named = new Set(rows.filter((row) => row.file === file).map(({ name }) => name));
  expect(constants).toHaveLength(5);
  expect([...named].toSorted()).toEqual(constants.toSorted());
});
