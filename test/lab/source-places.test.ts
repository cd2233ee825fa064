import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { withSourcePlaces } from '../../lab/host/source-places.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'source-places-'));
  writeFileSync(
    join(folder, 'thrower.ts'),
    "type Unused = string;\n\nexport const at: Unused = '';\nconsole.log(new Error('here').stack);\n",
  );
  spawnSync(process.execPath, ['scripts/bundle.js', folder, join(folder, 'thrower.ts')]);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('withSourcePlaces() puts the line of the source in the place of that of the program', () => {
  const { stdout } = spawnSync(process.execPath, [join(folder, 'thrower.js')], { encoding: 'utf8' });
  const inMachine = stdout.replaceAll(folder, '/project/build/lab/machine');
  expect(inMachine).toMatch(/at file:\/\/\/project\/build\/lab\/machine\/thrower\.js:\d+:\d+/);
  expect(withSourcePlaces(inMachine, relative('.', folder))).toContain(`at ${relative('.', folder)}/thrower.ts:4:13`);
});

test.each(['no place', 'at /project/build/lab/machine/unknown.js:3:4', 'at node:internal/main:3:4'])(
  'withSourcePlaces() leaves %j as it is',
  (text) => {
    expect(withSourcePlaces(text, relative('.', folder))).toBe(text);
  },
);
