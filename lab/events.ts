import type { Scenario } from './plan.js';

/** What the lab machine tells the host, one JSON document a line. */
export type LabEvent =
  | { readonly kind: 'ready' }
  | { readonly kind: 'scenario-started'; readonly scenario: string }
  | { readonly kind: 'output'; readonly scenario: string; readonly text: string }
  | TestEvent
  /** `idleMs` of its time the machine's processors had nothing to do. */
  | {
      readonly kind: 'scenario-ended';
      readonly scenario: string;
      readonly exitCode: number;
      readonly ms: number;
      readonly idleMs: number;
    }
  /** The machine ends, for this scenario has left it so that no other can be run in it. */
  | { readonly kind: 'unfit'; readonly scenario: string }
  | { readonly kind: 'end' };

export interface TestEvent {
  readonly kind: 'test';
  readonly scenario: string;
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly ms: number;
  /** Why it failed, or was skipped. */
  readonly detail?: string;
}

/** The name of the residue check, which closes each scenario. */
export const RESIDUE_TEST = 'the machine is as it was before';

/** The name of the test that fails when the machine is not fit for another scenario. */
export const FITNESS_TEST = 'the machine is fit for the next scenario';

/** The name of the test of a scenario that spoils the machine on purpose. */
export const SPOILED_TEST = 'the machine is seen to be unfit for the next scenario';

/** A test as a scenario's process reports it, marked so that it can be told from what the scenario prints. */
export const REPORT_MARK = '\u001e';

/** What the host answers to `ready`, one JSON document a line. */
export type LabOrder = { readonly kind: 'run'; readonly scenario: Scenario } | { readonly kind: 'end' };

/** @throws {SyntaxError} quoting the line, when it is no event */
export function parseEvent(line: string): LabEvent {
  try {
    const event: unknown = JSON.parse(line);
    if (typeof event === 'object' && event !== null && 'kind' in event && typeof event.kind === 'string')
      return event as LabEvent;
  } catch (cause) {
    throw new SyntaxError(`Cannot read "${line}" as an event of the lab machine`, { cause });
  }
  throw new SyntaxError(`Cannot read "${line}" as an event of the lab machine`);
}
