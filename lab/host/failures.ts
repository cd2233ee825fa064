import type { LabEvent } from '../events.js';

/** A test that failed, as the end of a run names it. */
export interface FailedTest {
  /** The test file, or the scenario and its release. */
  readonly where: string;
  readonly name: string;
  /** The first lines of what it said. */
  readonly detail: string;
}

const MOST = 15;
const DETAIL_LINES = 3;
const DETAIL_CHARACTERS = 400;

/** @param release the Debian release of the machine that reported the events */
export function failuresOf(events: readonly LabEvent[], release: string): readonly FailedTest[] {
  return events.flatMap((event) =>
    event.kind === 'test' && event.outcome === 'failed'
      ? [{ where: `lab ${event.scenario} (Debian ${release})`, name: event.name, detail: shorten(event.detail ?? '') }]
      : [],
  );
}

/**
 * Of what `jest --json` writes. A file that did not even run is one.
 * @param root what to leave out at the head of each path
 */
export function parseJestFailures(text: string, root: string): readonly FailedTest[] {
  const { testResults = [] } = JSON.parse(text) as {
    readonly testResults?: readonly {
      readonly name: string;
      readonly status: string;
      readonly message: string;
      readonly assertionResults: readonly {
        readonly fullName: string;
        readonly status: string;
        readonly failureMessages: readonly string[];
      }[];
    }[];
  };
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const where = name.startsWith(`${root}/`) ? name.slice(root.length + 1) : name;
    const failed = assertionResults.filter((result) => result.status === 'failed');
    if (failed.length === 0 && status === 'failed')
      return [{ where, name: 'the file is run', detail: shorten(message) }];
    return failed.map((result) => ({
      where,
      name: result.fullName,
      detail: shorten(result.failureMessages.join('\n')),
    }));
  });
}

/** Of what the lab writes with `--tally`. */
export function parseLabFailures(text: string): readonly FailedTest[] {
  return (JSON.parse(text) as { readonly failures?: readonly FailedTest[] }).failures ?? [];
}

/** The failed tests as text, the first fifteen of them; empty when none has. */
export function failuresTable(failures: readonly FailedTest[]): string {
  if (failures.length === 0) return '';
  const more = failures.length > MOST ? [`  and ${failures.length - MOST} more`] : [];
  const told = failures.slice(0, MOST).flatMap(({ where, name, detail }) => [
    `  ${where}: ${name}`,
    ...detail
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `      ${line}`),
  ]);
  return ['Failed tests', ...told, ...more, ''].join('\n');
}

function shorten(text: string): string {
  // eslint-disable-next-line no-control-regex -- what colours a terminal
  const plain = text.replaceAll(/\u001B\[\d*m/g, '');
  return plain
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('at '))
    .slice(0, DETAIL_LINES)
    .join('\n')
    .slice(0, DETAIL_CHARACTERS);
}
