import { appendFileSync, cpSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { REPORT_MARK, RESIDUE_TEST, type LabEvent, type LabOrder, type TestEvent } from '../events.js';
import type { Scenario } from '../plan.js';
import { cleanUp } from './clean-up.js';
import { compareResidue, readResidue, type Residue } from './residue.js';
import { LATE, runScenarioProcess } from './scenario-process.js';

/** Runs inside the lab machine: one scenario after another, as the host gives them, with a look at what each leaves behind. */
const port = openSync('/dev/ttyS1', 'r+');
const LOGS = '/run/lab/log';

while (!existsSync('/run/lab/ready')) await sleep(50);
for (let order = ask(); order.kind === 'run'; order = ask()) await runScenario(order.scenario);
tell({ kind: 'end' });

async function runScenario({ name: scenario, limitSeconds }: Scenario): Promise<void> {
  const folder = `/out/${scenario}`;
  mkdirSync(folder, { recursive: true });
  const begin = performance.now();
  const logs = new Map(readdirSync(LOGS).map((log) => [log, statSync(`${LOGS}/${log}`).size]));
  tell({ kind: 'scenario-started', scenario });
  const before = await readResidue();
  const tests: TestEvent[] = [];
  const exitCode = await runScenarioProcess(scenario, limitSeconds, (line) => {
    const [printed = '', reported] = line.split(REPORT_MARK);
    if (reported === undefined || printed !== '') {
      appendFileSync(`${folder}/output.log`, `${printed}\n`);
      tell({ kind: 'output', scenario, text: printed });
    }
    if (reported !== undefined) tests.push(tellTest({ scenario, ...(JSON.parse(reported) as Omit<TestEvent, 'kind' | 'scenario'>) }));
  });
  judgeEnd(scenario, limitSeconds, exitCode, tests);
  await checkResidue(scenario, before);
  keepLogs(folder, logs);
  tell({ kind: 'scenario-ended', scenario, exitCode, ms: Math.round(performance.now() - begin) });
}

/** A process that fails outside its tests, or has none, must not pass for one that went well. */
function judgeEnd(scenario: string, limitSeconds: number, exitCode: number, tests: readonly TestEvent[]): void {
  const fail = (name: string, detail: string): void => {
    tellTest({ scenario, name, outcome: 'failed', ms: 0, detail });
  };
  if (exitCode === LATE) fail('it ends within its time limit', `It was stopped after ${limitSeconds} s`);
  else if (exitCode !== 0 && !tests.some(({ outcome }) => outcome === 'failed')) fail('its process ends with 0', `Exit status ${exitCode}`);
  else if (tests.length === 0) fail('it has tests', 'It ran none');
}

async function checkResidue(scenario: string, before: Residue): Promise<void> {
  const begin = performance.now();
  let changes = compareResidue(before, await readResidue());
  // Disks and maps go a moment after the session that brought them.
  for (let look = 0; changes.length > 0 && look < 10; look++) {
    await sleep(200);
    changes = compareResidue(before, await readResidue());
  }
  const test = { scenario, name: RESIDUE_TEST, ms: Math.round(performance.now() - begin) };
  if (changes.length === 0) {
    tellTest({ ...test, outcome: 'passed' });
    return;
  }
  tellTest({ ...test, outcome: 'failed', detail: changes.join('\n') });
  await cleanUp();
}

/** Copies what the daemons wrote since the scenario began. */
function keepLogs(folder: string, sizesBefore: ReadonlyMap<string, number>): void {
  for (const log of readdirSync(LOGS)) appendFileSync(`${folder}/${log}`, readFileSync(`${LOGS}/${log}`).subarray(sizesBefore.get(log) ?? 0));
  if (existsSync('/var/log/libvirt/qemu')) cpSync('/var/log/libvirt/qemu', `${folder}/qemu`, { recursive: true });
}

function tellTest(test: Omit<TestEvent, 'kind'>): TestEvent {
  const event: TestEvent = { kind: 'test', ...test };
  tell(event);
  return event;
}

/** Waits for the host's word, which comes at once. */
function ask(): LabOrder {
  tell({ kind: 'ready' });
  const byte = Buffer.alloc(1);
  let line = '';
  while (byte.toString() !== '\n') line += readSync(port, byte) === 1 ? byte.toString('latin1') : '';
  return JSON.parse(line) as LabOrder;
}

function tell(event: LabEvent): void {
  const bytes = Buffer.from(`${JSON.stringify(event)}\n`);
  for (let at = 0; at < bytes.length;) at += writeSync(port, bytes, at);
}
