import type { LabEvent, TestEvent } from '../events.js';

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const NOTHING: Tally = { passed: 0, failed: 0, skipped: 0 };

/** Counts what a run of the lab machine reported. */
export function tallyOf(events: readonly LabEvent[]): Tally {
  const count = (outcome: TestEvent['outcome']): number =>
    events.filter((event) => event.kind === 'test' && event.outcome === outcome).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}

export function sum(tallies: readonly Tally[]): Tally {
  return tallies.reduce(
    (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }),
    NOTHING,
  );
}

/** What a stage of `npm test` took, and whether it went well. */
export interface Stage {
  readonly name: string;
  readonly seconds: number;
  readonly failed: boolean;
}

/** Reads what scripts/test.sh notes: `12 passed lint`, `3 FAILED types`, one a line. */
export function parseStages(text: string): readonly Stage[] {
  return Array.from(text.matchAll(/^(\d+) (passed|FAILED) (.+)$/gm), ([, seconds, outcome, name = '']) => ({
    name,
    seconds: Number(seconds),
    failed: outcome === 'FAILED',
  }));
}

/**
 * A stage that failed without a failed test, such as one whose process died behind its last test, is a failure as well.
 */
export function withStages(tally: Tally, stages: readonly Stage[]): Tally {
  const failed = stages.filter((stage) => stage.failed).length;
  return tally.failed === 0 && failed > 0 ? { ...tally, failed } : tally;
}

/** The one line that closes a test run. */
export function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** Reads what `jest --json` writes. A test file that did not even run is one failure. */
export function parseJestTally(text: string): Tally {
  const result = JSON.parse(text) as Readonly<Record<string, unknown>>;
  return {
    passed: count(result, 'numPassedTests'),
    failed: count(result, 'numFailedTests') + count(result, 'numRuntimeErrorTestSuites'),
    skipped: count(result, 'numPendingTests') + count(result, 'numTodoTests'),
  };
}

/** Reads what the lab writes with `--tally`. */
export function parseLabTally(text: string): Tally {
  const result = JSON.parse(text) as Readonly<Record<string, unknown>>;
  return { passed: count(result, 'passed'), failed: count(result, 'failed'), skipped: count(result, 'skipped') };
}

function count(result: Readonly<Record<string, unknown>>, name: string): number {
  const value = result[name];
  if (typeof value !== 'number') throw new SyntaxError(`Cannot read a count of tests: there is no number ${name}`);
  return value;
}
