import { expect, test } from '@jest/globals';
import { readArguments } from '../../lab/host/arguments.js';

test.each([
  [[], { task: 'run', scenarios: [] }],
  [['demo', '--release', '12', 'chap'], { task: 'run', releases: '12', scenarios: ['demo', 'chap'] }],
  [['--releases=13,12', '--tally', 'a.json'], { task: 'run', releases: '13,12', tallyFile: 'a.json', scenarios: [] }],
  [['--list'], { task: 'list', scenarios: [] }],
  [['--shell', '--release', '13'], { task: 'shell', releases: '13', scenarios: [] }],
  [['--build', '--demo'], { task: 'build', scenarios: [] }],
  [['--build', '--tally', 'demo'], { task: 'build', tallyFile: 'demo', scenarios: [] }],
] as const)('readArguments() of %j', (words, expected) => {
  expect(readArguments(words, {})).toEqual(expected);
});

test('readArguments() takes the release of LIBVIRT_VOLUME_LAB_RELEASE where no option names one', () => {
  const env = { LIBVIRT_VOLUME_LAB_RELEASE: '12' };
  expect([readArguments([], env).releases, readArguments(['--release', '13'], env).releases]).toEqual(['12', '13']);
});

test.each([
  ['--relase', ['--relase', '12']],
  ['--release', ['--release']],
  ['-x', ['-x']],
])('readArguments() refuses %s and names it', (option, words) => {
  expect(() => readArguments(words, {})).toThrow(option);
});
