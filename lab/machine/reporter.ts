import { inspect } from 'node:util';
import { REPORT_MARK, type TestEvent } from '../events.js';

type Reported = Omit<TestEvent, 'kind' | 'scenario'>;

interface NodeTestEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly skip?: string | boolean;
    readonly todo?: string | boolean;
    readonly details?: {
      readonly duration_ms?: number;
      readonly type?: string;
      readonly error?: { readonly failureType?: string; readonly cause?: unknown };
    };
  };
}

/**
 * Reporter for node:test that writes one marked JSON line for each test, as soon as it ends. A suite counts only when
 * it fails by itself.
 */
export default async function* report(source: AsyncIterable<NodeTestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of source) {
    const reported = type === 'test:pass' ? passed(data) : type === 'test:fail' ? failed(data) : undefined;
    if (reported !== undefined) yield `${REPORT_MARK}${JSON.stringify(reported)}\n`;
  }
}

function passed({ name = '', details, skip, todo }: NodeTestEvent['data']): Reported | undefined {
  if (details?.type === 'suite') return undefined;
  const reason = skip ?? todo;
  const ms = details?.duration_ms ?? 0;
  if (reason === undefined || reason === false) return { name, ms, outcome: 'passed' };
  return { name, ms, outcome: 'skipped', ...(typeof reason === 'string' && reason !== '' ? { detail: reason } : {}) };
}

function failed({ name = '', details }: NodeTestEvent['data']): Reported | undefined {
  const error = details?.error;
  if (error?.failureType === 'subtestsFailed') return undefined; // the subtests have said so themselves
  return { name, ms: details?.duration_ms ?? 0, outcome: 'failed', detail: explain(error?.cause ?? error) };
}

function explain(error: unknown): string {
  return typeof error === 'string' ? error : inspect(error, { depth: 6, breakLength: 120 });
}
