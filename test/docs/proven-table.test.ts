import { expect, test } from '@jest/globals';
import { hasTest, readProvenRows } from './proven-table.js';

test('readProvenRows() reads number, status, tests and files, and passes over other tables', () => {
  expect(
    readProvenRows(
      '| | what |\n|---|---|\n| W-1 | it fails | **test** `test/a.test.ts: b (R2)`; as `src/a.ts` has it, with ' +
        '`multipath -f` |\n| **open** | 3 | x |',
    ),
  ).toEqual([
    {
      number: 'W-1',
      status: 'test',
      tests: [{ file: 'test/a.test.ts', title: 'b (R2)' }],
      files: ['src/a.ts'],
      words: '`test/a.test.ts: b (R2)`; as `src/a.ts` has it, with `multipath -f`',
    },
  ]);
});

test.each(['| R1 | it fails | test: yes |', '| R1 | it fails |', '| R1 | | **test** |'])(
  'readProvenRows() refuses %j',
  (row) => {
    expect(() => readProvenRows(row)).toThrow(SyntaxError);
  },
);

test.each([
  ['test/docs/proven-table.test.ts', 'hasTest() knows what is a test: %s, %s', true],
  ['test/driver/attach.test.ts', 'attach()', true],
  ['test/driver/attach.test.ts', 'attach', false],
  ['test/driver/attach.test.ts', 'LIBVIRT_REFUSED', false],
  ['test/driver/no-such.test.ts', 'attach()', false],
])('hasTest() knows what is a test: %s, %s', (file, title, found) => {
  expect(hasTest({ file, title })).toBe(found);
});
