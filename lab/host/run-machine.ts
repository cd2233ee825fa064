import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEvent, type LabEvent, type LabOrder } from '../events.js';
import { Lines } from '../lines.js';
import type { Scenario } from '../plan.js';
import { QEMU, qemuArguments, type Boot } from './qemu.js';

/** Until the first scenario can begin. */
const BOOT_MS = 300_000;
/** For what is not a scenario's own: the looks around it, and the power-off. */
const BETWEEN_MS = 120_000;

/**
 * Boots the machine, gives it a scenario each time that it is ready for one, and gives each event as it comes.
 * @param next until there is none
 * @throws {Error} when the machine cannot start, stops before its end, or takes longer for something than that may take
 */
export async function runMachine(
  boot: Boot,
  next: () => Scenario | undefined,
  onEvent: (event: LabEvent) => void,
): Promise<void> {
  const qemu = spawn(QEMU, qemuArguments(boot), { stdio: ['pipe', 'pipe', 'pipe'] });
  const seen = { ended: false, complaint: '' };
  const stops: string[] = [];
  const stop = (why: string): void => {
    stops.push(why);
    qemu.kill('SIGKILL');
  };
  let limit: NodeJS.Timeout | undefined;
  const mayTake = (ms: number, what: string): void => {
    clearTimeout(limit);
    limit = setTimeout(() => {
      stop(`${what} took more than ${ms / 1000} s`);
    }, ms);
  };
  let current: Scenario | undefined;
  const lines = new Lines((line) => {
    if (line === '') return;
    appendFileSync(join(boot.out, 'events.ndjson'), `${line}\n`);
    const event = parseEvent(line);
    if (event.kind === 'ready') {
      current = next();
      qemu.stdin.write(`${JSON.stringify(orderFor(current))}\n`);
    }
    // The machine itself ends a scenario that is late; this is for a machine that does not.
    if (event.kind === 'scenario-started')
      mayTake((current?.limitSeconds ?? 0) * 1000 + BETWEEN_MS, `scenario ${event.scenario}`);
    if (event.kind === 'ready' || event.kind === 'scenario-ended')
      mayTake(BETWEEN_MS, 'what comes between two scenarios');
    if (event.kind === 'end' || event.kind === 'unfit') {
      seen.ended = true;
      mayTake(BETWEEN_MS, 'the power-off');
    }
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
  qemu.stderr.setEncoding('utf8').on('data', (text: string) => {
    seen.complaint += text;
  });
  mayTake(BOOT_MS, 'the boot');
  const release = stopOnSignals(() => {
    stop('it was interrupted');
  });
  const status = await new Promise<number>((resolve) => {
    qemu.on('error', (error) => {
      seen.complaint += error.message;
      resolve(-1);
    });
    qemu.on('close', (code) => {
      resolve(code ?? -1);
    });
  });
  clearTimeout(limit);
  release();
  const [stopped] = stops;
  if (stopped !== undefined) throw new Error(`The lab machine was stopped: ${stopped}`);
  if (!seen.ended)
    throw new Error(
      `The lab machine ended before its scenarios did (QEMU's exit status ${status}) ${seen.complaint.trim()}`,
    );
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

/** What ends a run. */
export const STOPPING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function stopOnSignals(stop: () => void): () => void {
  for (const signal of STOPPING_SIGNALS) process.on(signal, stop);
  process.on('exit', stop);
  return () => {
    for (const signal of STOPPING_SIGNALS) process.off(signal, stop);
    process.off('exit', stop);
  };
}
