import { expect, test } from '@jest/globals';
import type { LabEvent, TestEvent } from '../../lab/events.js';
import {
  closingLine,
  parseJestTally,
  parseLabTally,
  parseStages,
  sum,
  tallyOf,
  withStages,
} from '../../lab/host/tally.js';

const ended = (outcome: TestEvent['outcome']): LabEvent => ({
  kind: 'test',
  scenario: 'demo',
  name: 'it works',
  outcome,
  ms: 1,
});

test('tallyOf() counts tests and nothing else', () => {
  const events: readonly LabEvent[] = [
    { kind: 'scenario-started', scenario: 'demo' },
    ended('passed'),
    ended('passed'),
    ended('failed'),
    ended('skipped'),
    { kind: 'end' },
  ];
  expect(tallyOf(events)).toEqual({ passed: 2, failed: 1, skipped: 1 });
});

test('closingLine() adds the stages up', () => {
  expect(
    closingLine(
      sum([
        { passed: 400, failed: 0, skipped: 2 },
        { passed: 30, failed: 1, skipped: 0 },
      ]),
    ),
  ).toBe('430 passed, 1 failed, 2 skipped');
  expect(closingLine(sum([]))).toBe('0 passed, 0 failed, 0 skipped');
});

test('parseJestTally() counts a test file that did not run as a failure', () => {
  const text = JSON.stringify({
    numPassedTests: 7,
    numFailedTests: 1,
    numPendingTests: 2,
    numTodoTests: 1,
    numRuntimeErrorTestSuites: 2,
  });
  expect(parseJestTally(text)).toEqual({ passed: 7, failed: 3, skipped: 3 });
});

test('parseLabTally() refuses a file without its numbers', () => {
  expect(parseLabTally('{"passed":1,"failed":2,"skipped":3}')).toEqual({ passed: 1, failed: 2, skipped: 3 });
  expect(() => parseLabTally('{"passed":1}')).toThrow('there is no number failed');
});

test('withStages() counts stages that failed, where no test did', () => {
  const stages = parseStages('12 passed lint\n3 FAILED unit on Node 22\n40 FAILED lab\n');
  expect(stages).toEqual([
    { name: 'lint', seconds: 12, failed: false },
    { name: 'unit on Node 22', seconds: 3, failed: true },
    { name: 'lab', seconds: 40, failed: true },
  ]);
  expect(withStages({ passed: 5, failed: 0, skipped: 1 }, stages)).toEqual({ passed: 5, failed: 2, skipped: 1 });
  expect(withStages({ passed: 5, failed: 1, skipped: 1 }, stages)).toEqual({ passed: 5, failed: 1, skipped: 1 });
});
