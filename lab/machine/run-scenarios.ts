import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  FITNESS_TEST,
  REPORT_MARK,
  RESIDUE_TEST,
  SPOILED_TEST,
  type LabEvent,
  type LabOrder,
  type TestEvent,
} from '../events.js';
import type { Scenario } from '../plan.js';
import { cleanUp } from './clean-up.js';
import { bootedServices, unfitness } from './fitness.js';
import { compareResidue, readResidue, type Residue } from './residue.js';
import { LATE, runScenarioProcess } from './scenario-process.js';
import { readSettings } from './settings.js';

/**
 * Runs inside the lab machine: one scenario after another, as the host gives them, with a look at what each leaves
 * behind.
 */
const port = openSync('/dev/ttyS1', 'r+');
const LOGS = '/run/lab/log';

while (!existsSync('/run/lab/ready')) await sleep(50);
let order = ask();
while (order.kind === 'run' && (await runScenario(order.scenario))) order = ask();
tell({ kind: 'end' });

/** @returns whether another can be run in the same machine */
async function runScenario({ name: scenario, limitSeconds, spoils }: Scenario): Promise<boolean> {
  const folder = `/out/${scenario}`;
  mkdirSync(folder, { recursive: true });
  const begin = performance.now();
  const idleBefore = idleMs();
  const logs = new Map(readdirSync(LOGS).map((log) => [log, statSync(`${LOGS}/${log}`).size]));
  tell({ kind: 'scenario-started', scenario });
  const before = await readMachine();
  const tests: TestEvent[] = [];
  const exitCode = await runScenarioProcess(scenario, limitSeconds, (line) => {
    const [printed = '', reported] = line.split(REPORT_MARK);
    if (reported === undefined || printed !== '') {
      appendFileSync(`${folder}/output.log`, `${printed}\n`);
      tell({ kind: 'output', scenario, text: printed });
    }
    if (reported !== undefined)
      tests.push(tellTest({ scenario, ...(JSON.parse(reported) as Omit<TestEvent, 'kind' | 'scenario'>) }));
  });
  judgeEnd(scenario, limitSeconds, exitCode, tests);
  const left = await checkResidue(scenario, before);
  const wrong = [...left, ...(await unfitness(bootedServices()))];
  const fit = wrong.length === 0;
  tellFitness(scenario, spoils, wrong);
  keepLogs(folder, logs);
  tell({
    kind: 'scenario-ended',
    scenario,
    exitCode,
    ms: Math.round(performance.now() - begin),
    idleMs: idleMs() - idleBefore,
  });
  if (!fit) tell({ kind: 'unfit', scenario });
  return fit;
}

/** That all is well is told by the scenarios that follow. */
function tellFitness(scenario: string, spoils: boolean, wrong: readonly string[]): void {
  const fit = wrong.length === 0;
  const test = { scenario, name: spoils ? SPOILED_TEST : FITNESS_TEST, ms: 0 };
  if (spoils && fit)
    tellTest({ ...test, outcome: 'failed', detail: 'Every daemon answers, and nothing is left behind' });
  else if (spoils) tellTest({ ...test, outcome: 'passed' });
  else if (!fit) tellTest({ ...test, outcome: 'failed', detail: wrong.join('\n') });
}

/**
 * How long the machine's processors have had nothing to do so far, on average: the fourth and fifth column of
 * proc_stat(5), in hundredths of a second.
 */
function idleMs(): number {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const [idle = 0, iowait = 0] = line.trim().split(/ +/).slice(4, 6).map(Number);
  return Math.round(((idle + iowait) * 10) / availableParallelism());
}

/** A process that fails outside its tests, or has none, must not pass for one that went well. */
function judgeEnd(scenario: string, limitSeconds: number, exitCode: number, tests: readonly TestEvent[]): void {
  const fail = (name: string, detail: string): void => {
    tellTest({ scenario, name, outcome: 'failed', ms: 0, detail });
  };
  if (exitCode === LATE) fail('it ends within its time limit', `It was stopped after ${limitSeconds} s`);
  else if (exitCode !== 0 && !tests.some(({ outcome }) => outcome === 'failed'))
    fail('its process ends with 0', `Exit status ${exitCode}`);
  else if (tests.length === 0) fail('it has tests', 'It ran none');
}

/** @returns what is still there, or gone, after it was cleaned up */
async function checkResidue(scenario: string, before: Residue): Promise<readonly string[]> {
  const begin = performance.now();
  let changes = compareResidue(before, await readMachine());
  // Disks and maps go a moment after the session that brought them.
  for (let look = 0; changes.length > 0 && look < 10; look++) {
    await sleep(200);
    changes = compareResidue(before, await readMachine());
  }
  const test = { scenario, name: RESIDUE_TEST, ms: Math.round(performance.now() - begin) };
  if (changes.length === 0) {
    tellTest({ ...test, outcome: 'passed' });
    return [];
  }
  tellTest({ ...test, outcome: 'failed', detail: changes.join('\n') });
  await cleanUp();
  return compareResidue(before, await readMachine());
}

/** Everything that must be the same before and after a scenario. */
async function readMachine(): Promise<Residue> {
  return [...(await readResidue()), ...readSettings()];
}

/** Copies what the daemons wrote since the scenario began. */
function keepLogs(folder: string, sizesBefore: ReadonlyMap<string, number>): void {
  for (const log of readdirSync(LOGS))
    appendFileSync(`${folder}/${log}`, readFileSync(`${LOGS}/${log}`).subarray(sizesBefore.get(log) ?? 0));
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
