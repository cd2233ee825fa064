import { RESIDUE_TEST, type LabEvent } from '../events.js';
import { say } from './say.js';
import { withSourcePlaces } from './source-places.js';

const MARK = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' } as const;
const printed = new Map<string, string[]>();

/** Prints an event for a person: a line for each test, and what a failed one has to say. */
export function report(event: LabEvent): void {
  switch (event.kind) {
    case 'ready':
      return;
    case 'scenario-started':
      say(`-- ${event.scenario}`);
      return;
    case 'output': {
      const lines = printed.get(event.scenario) ?? [];
      printed.set(event.scenario, [...lines, event.text].slice(-60));
      if (process.env['LIBVIRT_VOLUME_LAB_VERBOSE'] === '1') say(`     | ${event.text}`);
      return;
    }
    case 'test':
      say(`${MARK[event.outcome]} ${event.scenario}: ${event.name} (${Math.round(event.ms)} ms)`);
      if (event.detail !== undefined) process.stderr.write(`${indented(withSourcePlaces(event.detail), '              ')}\n`);
      return;
    case 'scenario-ended':
      if (event.exitCode !== 0) process.stderr.write(`${indented(withSourcePlaces(`${event.scenario} printed:\n${(printed.get(event.scenario) ?? []).join('\n')}`), '              | ')}\n`);
      return;
    case 'end':
      return;
    default:
      return event satisfies never;
  }
}

/** For the demo: what the scenario prints is the show, and a test speaks only when it failed. */
export function reportDemo(event: LabEvent): void {
  if (event.kind === 'output') process.stdout.write(`${event.text}\n`);
  if (event.kind === 'test' && event.outcome === 'failed') report(event);
  if (event.kind === 'test' && event.outcome === 'passed' && event.name === RESIDUE_TEST) process.stdout.write('\nDone. Sessions, records, disks and guests are as they were before.\n');
}

function indented(text: string, margin: string): string {
  return text.split('\n').map((line) => `${margin}${line}`).join('\n');
}
