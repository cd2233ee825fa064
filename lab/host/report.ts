import { RESIDUE_TEST, type LabEvent } from '../events.js';
import { say } from './say.js';
import { withSourcePlaces } from './source-places.js';

const MARK = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' } as const;

export interface ReporterOptions {
  /** What the scenario prints is the show, and a test speaks only when it failed. */
  readonly isDemo: boolean;
  /** Several releases run in one: each line says which one it is of. */
  readonly namesRelease: boolean;
}

/** Prints events for a person: a line for each test, and what a failed one has to say. */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #printed = new Map<string, readonly string[]>();

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  report(event: LabEvent, release: string): void {
    if (this.#options.isDemo) this.#reportDemo(event, release);
    else this.#report(event, release);
  }

  #report(event: LabEvent, release: string): void {
    const of =
      'scenario' in event ? `${event.scenario}${this.#options.namesRelease ? ` (Debian ${release})` : ''}` : '';
    switch (event.kind) {
      case 'ready':
        return;
      case 'scenario-started':
        say(`-- ${of}`);
        return;
      case 'output':
        this.#printed.set(of, [...(this.#printed.get(of) ?? []), event.text].slice(-60));
        if (process.env['LIBVIRT_VOLUME_LAB_VERBOSE'] === '1') say(`     | ${event.text}`);
        return;
      case 'test':
        say(`${MARK[event.outcome]} ${of}: ${event.name} (${Math.round(event.ms)} ms)`);
        if (event.detail !== undefined)
          process.stderr.write(`${indented(withSourcePlaces(event.detail), '              ')}\n`);
        return;
      case 'scenario-ended':
        if (event.exitCode !== 0) {
          const printed = `${of} printed:\n${(this.#printed.get(of) ?? []).join('\n')}`;
          process.stderr.write(`${indented(withSourcePlaces(printed), '              | ')}\n`);
        }
        return;
      case 'unfit':
        say(`-- ${of} left the machine unfit for another scenario: it is booted anew if there is one`);
        return;
      case 'end':
        return;
      default:
        return event satisfies never;
    }
  }

  #reportDemo(event: LabEvent, release: string): void {
    if (event.kind === 'output') process.stdout.write(`${event.text}\n`);
    if (event.kind === 'test' && event.outcome === 'failed') this.#report(event, release);
    if (event.kind === 'test' && event.outcome === 'passed' && event.name === RESIDUE_TEST)
      process.stdout.write('\nDone. Sessions, records, disks and guests are as they were before.\n');
  }
}

function indented(text: string, margin: string): string {
  return text
    .split('\n')
    .map((line) => `${margin}${line}`)
    .join('\n');
}
