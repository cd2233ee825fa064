import { expect, test } from '@jest/globals';
import { alignedTable } from '../../../src/cli/output/aligned-table.js';

test('alignedTable() pads columns and leaves no blanks at the ends of lines', () => {
  expect(alignedTable([['A', 'LONG', 'C'], ['aaa', 'b', ''], ['a']])).toBe('A    LONG  C\naaa  b\na');
  expect(alignedTable([])).toBe('');
});
