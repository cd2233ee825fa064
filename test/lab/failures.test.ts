import { expect, test } from '@jest/globals';
import { failuresOf, failuresTable, parseJestFailures, parseLabFailures } from '../../lab/host/failures.js';

test('failuresOf() names scenario, release, test and what it said, and nothing that passed', () => {
  const of = { kind: 'test', scenario: 'chap', ms: 1 } as const;
  expect(
    failuresOf(
      [
        {
          ...of,
          name: 'it logs in',
          outcome: 'failed',
          detail: '\u001B[31mexpected 1\u001B[39m\n\n    at a.ts:1\ngot 2',
        },
        { ...of, name: 'it logs out', outcome: 'passed' },
      ],
      '12',
    ),
  ).toEqual([{ where: 'lab chap (Debian 12)', name: 'it logs in', detail: 'expected 1\ngot 2' }]);
});

test('parseJestFailures() names each failed test, and a file that did not run', () => {
  const passed = { fullName: 'x() holds', status: 'passed', failureMessages: [] };
  const failed = { fullName: 'y() holds', status: 'failed', failureMessages: ['Error: not so\n    at y.ts:3'] };
  const result = JSON.stringify({
    testResults: [
      { name: '/root/test/a.test.ts', status: 'failed', message: '', assertionResults: [passed, failed] },
      { name: '/root/test/b.test.ts', status: 'failed', message: 'Cannot find module', assertionResults: [] },
      { name: '/root/test/c.test.ts', status: 'passed', message: '', assertionResults: [passed] },
    ],
  });
  expect(parseJestFailures(result, '/root')).toEqual([
    { where: 'test/a.test.ts', name: 'y() holds', detail: 'Error: not so' },
    { where: 'test/b.test.ts', name: 'the file is run', detail: 'Cannot find module' },
  ]);
});

test('parseLabFailures() takes a tally that names none', () => {
  expect(parseLabFailures('{"passed":1}')).toEqual([]);
});

test('failuresTable() tells fifteen and counts the others', () => {
  expect(failuresTable([])).toBe('');
  const failures = Array.from({ length: 17 }, (_unused, at) => ({ where: 'a', name: `test ${at}`, detail: 'no\nway' }));
  const lines = failuresTable(failures).split('\n');
  expect(lines.slice(0, 4)).toEqual(['Failed tests', '  a: test 0', '      no', '      way']);
  expect(lines.slice(-2)).toEqual(['  and 2 more', '']);
});
