import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { readPage } from './read-page.js';

const page = readPage('docs/events.md');

test('docs/events.md has a row for every kind of event, with every field it has', () => {
  const union = readFileSync('src/events/volume-event.ts', 'utf8')
    .split(/^ {2}\| \{$/m)
    .slice(1);
  const fields = union.map((member) =>
    [...member.matchAll(/readonly (\w+): (?:'([\w-]+)')?/g)].map(([, name = '', kind]) => kind ?? name),
  );
  const rows = [...page.matchAll(/^\| `([\w-]+)` \| [^|]+ \| (`\w+`(?:, `\w+`)+) \|$/gm)].map(
    ([, kind = '', names = '']) => [kind, ...names.replaceAll('`', '').split(', ')],
  );
  expect(fields).toHaveLength(6);
  expect(rows.map((row) => row.toSorted()).toSorted()).toEqual(fields.map((names) => names.toSorted()).toSorted());
});

test('docs/events.md has a row for every counter', () => {
  const counters = [
    ...readFileSync('src/events/volume-counters.ts', 'utf8').matchAll(/^ {2}(libvirt_volume_\w+): '/gm),
  ].map(([, name]) => name);
  expect(counters.length).toBeGreaterThan(5);
  expect([...page.matchAll(/^\| `(libvirt_volume_\w+)` \|/gm)].map(([, name]) => name)).toEqual(counters);
});
