import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { chooseReleases, parseReleases, RELEASES_FILE } from '../../lab/host/releases.js';

const TABLE = parseReleases('# a comment\n13  trixie   one two-2.0+x\n\n12  bookworm\n');

test('parseReleases() reads number, suite and packages, the first release first', () => {
  expect(TABLE).toEqual([
    { name: '13', suite: 'trixie', packages: ['one', 'two-2.0+x'] },
    { name: '12', suite: 'bookworm', packages: [] },
  ]);
});

test.each(['trixie', '13', '13 Trixie', 'x13 trixie', '13 trixie $(reboot)', '13 trixie --option', '13 ../etc'])(
  'parseReleases() refuses the line %j and quotes it',
  (line) => {
    expect(() => parseReleases(`12 bookworm\n${line}\n`)).toThrow(`Cannot read "${line}" as a release`);
  },
);

test('parseReleases() refuses a table without a release', () => {
  expect(() => parseReleases('# none\n')).toThrow('Cannot find a release');
});

test('RELEASES_FILE has Debian 13 as the default, and Debian 12', () => {
  const releases = parseReleases(readFileSync(RELEASES_FILE, 'utf8'));
  expect(releases.map(({ name, suite }) => [name, suite])).toEqual([
    ['13', 'trixie'],
    ['12', 'bookworm'],
  ]);
});

test.each([
  [undefined, ['13']],
  ['12', ['12']],
  ['13,12', ['13', '12']],
  ['12,13,12', ['12', '13']],
])('chooseReleases() of %j', (wish, names) => {
  expect(chooseReleases(wish, TABLE).map(({ name }) => name)).toEqual(names);
});

test.each(['11', '', '13,', 'trixie', '13 12'])('chooseReleases() refuses %j and names those there are', (wish) => {
  expect(() => chooseReleases(wish, TABLE)).toThrow('Those there are: 13, 12');
});
