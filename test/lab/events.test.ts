import { expect, test } from '@jest/globals';
import { parseEvent } from '../../lab/events.js';
import { Lines } from '../../lab/lines.js';

test('parseEvent() gives what the machine said', () => {
  expect(parseEvent('{"kind":"scenario-started","scenario":"demo"}')).toEqual({
    kind: 'scenario-started',
    scenario: 'demo',
  });
});

test.each(['', 'kernel panic', '{"kind":"test"', '"end"', 'null', '{"name":"x"}', '{"kind":3}'])(
  'parseEvent() refuses %j and quotes it',
  (line) => {
    expect(() => parseEvent(line)).toThrow(`Cannot read "${line}" as an event of the lab machine`);
  },
);

test('Lines gives whole lines, however the pieces come', () => {
  const seen: string[] = [];
  const lines = new Lines((line) => {
    seen.push(line);
  });
  for (const piece of ['{"a":', '1}\n{"b"', ':2}\r\n\nla', 'st']) lines.push(piece);
  expect(seen).toEqual(['{"a":1}', '{"b":2}', '']);
  lines.end();
  lines.end();
  expect(seen.at(-1)).toBe('last');
  expect(seen).toHaveLength(4);
});
