import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { MACHINE_INPUTS, machineKey, outdatedImages } from '../../lab/host/machine-key.js';

test('machineKey() is the same for the same inputs, and fit for a folder name', () => {
  expect(
    machineKey([
      ['build.sh', 'a'],
      ['packages.txt', 'b'],
    ]),
  ).toBe(
    machineKey([
      ['build.sh', 'a'],
      ['packages.txt', 'b'],
    ]),
  );
  expect(machineKey([['build.sh', 'a']])).toMatch(/^[0-9a-f]{16}$/);
});

test.each([
  [
    'a byte',
    [
      ['build.sh', 'x'],
      ['packages.txt', 'b'],
    ],
  ],
  [
    'a name',
    [
      ['build', 'a'],
      ['packages.txt', 'b'],
    ],
  ],
  [
    'where one file ends and the next begins',
    [
      ['build.sh', 'apackages.txtb'],
      ['', ''],
    ],
  ],
  [
    'a file more',
    [
      ['build.sh', 'a'],
      ['packages.txt', 'b'],
      ['more', ''],
    ],
  ],
] as const)('machineKey() differs by %s', (_what, inputs) => {
  expect(machineKey(inputs)).not.toBe(
    machineKey([
      ['build.sh', 'a'],
      ['packages.txt', 'b'],
    ]),
  );
});

test.each(MACHINE_INPUTS)('MACHINE_INPUTS name existing files: %s', (name) => {
  expect(existsSync(join('lab/image', name))).toBe(true);
});

test('outdatedImages() are those of the same release, and those of no release', () => {
  const [old, now] = ['13-0123456789abcdef', '13-fedcba9876543210'];
  const others = ['12-0123456789abcdef', 'build-13.log', 'building-xyz', 'lock', '131-0123456789abcdef'];
  expect(outdatedImages([old, now, '0123456789abcdef', ...others], now)).toEqual([old, '0123456789abcdef']);
});
