import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { MAY_IMPORT } from '../rooms.js';
import { readPage } from './read-page.js';

const page = readPage('ARCHITECTURE.md');

/** The table of rooms: each room, and what the last column says that it may import. */
const rooms = [...page.matchAll(/^\| `([a-z.]+)` \| [^|]+ \| ([^|]+) \|$/gm)].map(
  ([, room = '', imports = '']) => [room, imports] as const,
);

/** Which rooms the words stand for: a list, `nothing`, or `all above but …`. */
function importsOf(words: string, above: readonly string[]): readonly string[] {
  const [, but] = /^all above but (.+)$/.exec(words) ?? [];
  if (but !== undefined) return above.filter((room) => !but.split(', ').includes(room));
  return words === 'nothing' ? [] : words.split(', ');
}

test('ARCHITECTURE.md has a row for every room of src, and says what test/rooms.ts lets it import', () => {
  const names = rooms.map(([room]) => room);
  const said = rooms.map(([room, words], index) => [room, importsOf(words, names.slice(0, index)).toSorted()]);
  const held = Object.entries(MAY_IMPORT).map(([room, imports]) => [room, imports.toSorted()] as const);
  expect(held.length).toBeGreaterThan(15);
  expect(Object.fromEntries(said)).toEqual(Object.fromEntries(held));
});

test('the rooms of ARCHITECTURE.md import only from those above them', () => {
  const names = rooms.map(([room]) => room);
  for (const [index, [room, words]] of rooms.entries()) {
    const above = names.slice(0, index);
    expect({ room, below: importsOf(words, above).filter((other) => !above.includes(other)) }).toEqual({
      room,
      below: [],
    });
  }
});

test.each(['ARCHITECTURE.md', 'CONTRIBUTING.md'])('every file and folder that %s names is there', (file) => {
  const top = ['src', 'test', 'lab', 'docs', 'config', 'examples', 'scripts', 'node_modules'];
  const inSource = readdirSync('src');
  const named = [...readFileSync(file, 'utf8').matchAll(/`([a-z][\w.-]*\/[\w./-]*)`/g)].map(([, path = '']) => path);
  const isOurs = (path: string): boolean => [...top, ...inSource].includes(path.split('/')[0] ?? '');
  const ours = named.filter((path) => isOurs(path) && !path.includes('NAME'));
  expect(ours.length).toBeGreaterThan(5);
  expect(ours.filter((path) => !existsSync(path) && !existsSync(`src/${path}`))).toEqual([]);
});
