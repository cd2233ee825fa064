import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { ERROR_EXIT_STATUS } from '../../src/base/volume-error.js';
import { readPage } from './read-page.js';

const page = readPage('docs/api.md');
const [methods = '', exported = ''] = page.split(/^## Exports$/m);

/** The methods of an interface: its lines `name(`, or `name<`, at one level of indentation. */
function methodsOf(file: string, name: string): readonly string[] {
  const text = readFileSync(file, 'utf8');
  const [, body = ''] = new RegExp(`^export interface ${name}[^{]*\\{\\n(.*?)^\\}`, 'ms').exec(text) ?? [];
  return [...body.matchAll(/^ {2}([a-z]\w*)\(/gm)].map(([, method = '']) => method);
}

test('docs/api.md has a heading for every method of VolumeDriver, and no other', () => {
  const headings = [...methods.matchAll(/^### (\w+)$/gm)].map(([, heading = '']) => heading);
  const known = [
    ...methodsOf('src/driver/volume-driver.ts', 'VolumeDriver'),
    ...methodsOf('src/driver/migration-hooks.ts', 'MigrationHooks'),
  ];
  expect(known.length).toBeGreaterThan(10);
  expect(headings.toSorted()).toEqual([...known].toSorted());
});

test('docs/api.md names no error code that there is not', () => {
  const codes = [...methods.matchAll(/`([A-Z]+(?:_[A-Z]+)+|ABORTED|USAGE)`/g)].map(([, code = '']) => code);
  expect(codes.length).toBeGreaterThan(20);
  expect(codes.filter((code) => !Object.hasOwn(ERROR_EXIT_STATUS, code))).toEqual([]);
});

test('docs/api.md groups every name that src/index.ts exports, and no other', () => {
  const names = [...readFileSync('src/index.ts', 'utf8').matchAll(/^export (?:type )?\{([^}]+)\}/gm)].flatMap(
    ([, list = '']) =>
      list
        .split(',')
        .map((name) => name.replace(/^\s*(?:type )?/, '').trim())
        .filter((name) => name !== ''),
  );
  const listed = [...exported.matchAll(/^\| [a-z, -]+ \| (.+) \|$/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  );
  expect(names.length).toBeGreaterThan(50);
  expect(listed.filter((name) => !names.includes(name))).toEqual([]);
  expect(names.filter((name) => !listed.includes(name))).toEqual([]);
  expect(listed).toEqual([...new Set(listed)]);
});
