import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEvent, type LabEvent, type LabOrder } from '../events.js';
import { Lines } from '../lines.js';
import type { Scenario } from '../plan.js';
import { QEMU, qemuArguments, type Boot } from './qemu.js';

export interface RunLimits {
  /** Until the first scenario begins. */
  readonly bootSeconds: number;
  readonly totalSeconds: number;
}

/**
 * Boots the machine, gives it a scenario each time that it is ready for one, and gives each event as it comes.
 * @param next until there is none
 * @throws {Error} when the machine cannot start, stops before its end, or takes longer than the limits
 */
export async function runMachine(boot: Boot, limits: RunLimits, next: () => Scenario | undefined, onEvent: (event: LabEvent) => void): Promise<void> {
  const qemu = spawn(QEMU, qemuArguments(boot), { stdio: ['pipe', 'pipe', 'pipe'] });
  const seen = { began: false, ended: false, complaint: '' };
  const stops: string[] = [];
  const stop = (why: string): void => {
    stops.push(why);
    qemu.kill('SIGKILL');
  };
  const lines = new Lines((line) => {
    if (line === '') return;
    appendFileSync(join(boot.out, 'events.ndjson'), `${line}\n`);
    const event = parseEvent(line);
    seen.began = true;
    seen.ended ||= event.kind === 'end';
    if (event.kind === 'ready') qemu.stdin.write(`${JSON.stringify(orderFor(next()))}\n`);
    onEvent(event);
  });
  qemu.stdout.setEncoding('utf8').on('data', (text: string) => {
    try {
      lines.push(text);
    } catch (error) {
      stop(String(error));
    }
  });
  qemu.stdin.on('error', () => undefined); // it ended, which is said below
  qemu.stderr.setEncoding('utf8').on('data', (text: string) => { seen.complaint += text; });
  const bootLimit = setTimeout(() => { if (!seen.began) stop(`no scenario began within ${limits.bootSeconds} s`); }, limits.bootSeconds * 1000);
  const totalLimit = setTimeout(() => { stop(`the time limit of ${limits.totalSeconds} s passed`); }, limits.totalSeconds * 1000);
  const release = stopOnSignals(() => { stop('it was interrupted'); });
  const status = await new Promise<number>((resolve) => {
    qemu.on('error', (error) => { seen.complaint += error.message; resolve(-1); });
    qemu.on('close', (code) => { resolve(code ?? -1); });
  });
  clearTimeout(bootLimit);
  clearTimeout(totalLimit);
  release();
  const [stopped] = stops;
  if (stopped !== undefined) throw new Error(`The lab machine was stopped: ${stopped}`);
  if (!seen.ended) throw new Error(`The lab machine ended before its scenarios did (QEMU's exit status ${status}) ${seen.complaint.trim()}`);
}

function orderFor(scenario: Scenario | undefined): LabOrder {
  return scenario === undefined ? { kind: 'end' } : { kind: 'run', scenario };
}

/** Runs the machine on this terminal. Ctrl-A X stops it at once. */
export async function runShell(boot: Boot): Promise<void> {
  const qemu = spawn(QEMU, qemuArguments(boot), { stdio: 'inherit' });
  const release = stopOnSignals(() => qemu.kill('SIGKILL'));
  await new Promise((resolve) => qemu.on('close', resolve).on('error', resolve));
  release();
}

function stopOnSignals(stop: () => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, stop);
  process.on('exit', stop);
  return () => {
    for (const signal of signals) process.off(signal, stop);
    process.off('exit', stop);
  };
}
