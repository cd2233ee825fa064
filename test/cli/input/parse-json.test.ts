import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseJson } from '../../../src/cli/input/parse-json.js';

test('parseJson() reads what JSON.parse reads', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(parseJson(text, 'f')).toEqual(JSON.parse(text));
    }),
  );
});

test.each<[string, number, number]>([
  ['', 1, 1],
  ['{', 1, 2],
  ['{"a": bad}', 1, 7],
  ['{"a": 1,}', 1, 9],
  ['[1 2]', 1, 4],
  ['{"a": 1}\nx', 2, 1],
  ['{"a":\n  "b"\n  "c"}', 3, 3],
  ['{"a": "open', 1, 12],
  ['tru', 1, 4],
  ["{'a': 1}", 1, 2],
])('parseJson() says where %j stops being JSON', (text, line, column) => {
  expect(() => parseJson(text, 'f')).toThrow(
    expect.objectContaining({ code: 'USAGE', details: { file: 'f', line, column } }),
  );
});
