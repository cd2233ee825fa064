import type { Counter } from './volume-counters.js';

/** The `content-type` of prometheusText(). */
export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * Counters in Prometheus' text exposition format, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats):
 * a backslash and a line feed are escaped everywhere, a double quote in label values.
 */
export function prometheusText(counters: readonly Counter[]): string {
  return counters
    .flatMap(({ name, help, samples }) => [
      `# HELP ${name} ${escaped(help)}\n`,
      `# TYPE ${name} counter\n`,
      ...samples.map(({ labels, value }) => `${name}${labelText(labels)} ${value}\n`),
    ])
    .join('');
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
