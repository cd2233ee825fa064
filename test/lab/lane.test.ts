import { expect, test } from '@jest/globals';
import { RESIDUE_TEST, type LabEvent } from '../../lab/events.js';
import { JobQueue } from '../../lab/host/jobs.js';
import { runLane, type BootReport, type LaneHost } from '../../lab/host/lane.js';
import { tallyOf } from '../../lab/host/tally.js';
import type { Scenario } from '../../lab/plan.js';

const scenario = (name: string): Scenario => ({
  name,
  seconds: 60,
  services: [],
  releases: ['13'],
  limitSeconds: 360,
  spoils: false,
});

/** Machines without QEMU: they tell what the real ones tell, and go wrong where a test says so. */
class FakeMachines implements LaneHost {
  readonly reports: BootReport[] = [];
  readonly told: string[] = [];
  readonly ran: string[] = [];
  boots = 0;
  /** What becomes of the machine in a scenario. */
  readonly #fates: Readonly<Record<string, 'unfit' | 'dies'>>;
  readonly #failingBoots: number;

  constructor(fates: Readonly<Record<string, 'unfit' | 'dies'>> = {}, failingBoots = 0) {
    this.#fates = fates;
    this.#failingBoots = failingBoots;
  }

  async run(release: string, next: () => Scenario | undefined, onEvent: (event: LabEvent) => void): Promise<void> {
    this.boots++;
    await Promise.resolve();
    if (this.boots <= this.#failingBoots) throw new Error('the boot took more than 300 s');
    for (;;) {
      onEvent({ kind: 'ready' });
      const name = next()?.name;
      if (name === undefined) break;
      this.ran.push(`${name} on ${release} in boot ${this.boots}`);
      onEvent({ kind: 'scenario-started', scenario: name });
      if (this.#fates[name] === 'dies') throw new Error('QEMU ended');
      const outcome = this.#fates[name] === 'unfit' ? 'failed' : 'passed';
      onEvent({ kind: 'test', scenario: name, name: RESIDUE_TEST, outcome, ms: 1 });
      onEvent({ kind: 'scenario-ended', scenario: name, exitCode: 0, ms: 1000, idleMs: 100 });
      if (this.#fates[name] === 'unfit') {
        onEvent({ kind: 'unfit', scenario: name });
        break;
      }
    }
    onEvent({ kind: 'end' });
  }

  consoleEnd(): string {
    return 'Kernel panic';
  }

  event(event: LabEvent): void {
    if (event.kind === 'test' && event.outcome === 'failed') this.told.push(`${event.scenario}: ${event.name}`);
  }

  ended(report: BootReport): void {
    this.reports.push(report);
  }
}

const queueOf = (...names: readonly string[]): JobQueue =>
  new JobQueue(names.map((name) => ({ release: '13', scenario: scenario(name) })));

test('runLane() runs all that wait in one boot', async () => {
  const machines = new FakeMachines();
  await runLane(queueOf('a', 'b'), machines);
  expect(machines.ran).toEqual(['a on 13 in boot 1', 'b on 13 in boot 1']);
  expect(machines.reports.map(({ end, release }) => [end, release])).toEqual([['done', '13']]);
});

test.each(['unfit', 'dies'] as const)(
  'runLane() restarts a machine that %s in a scenario, and fails that one alone',
  async (fate) => {
    const machines = new FakeMachines({ a: fate });
    await runLane(queueOf('a', 'b', 'c'), machines);
    expect(machines.ran).toEqual(['a on 13 in boot 1', 'b on 13 in boot 2', 'c on 13 in boot 2']);
    expect(machines.reports.map(({ end }) => end)).toEqual([fate === 'unfit' ? 'unfit' : 'died', 'done']);
    expect(tallyOf(machines.reports.flatMap(({ events }) => events))).toEqual({ passed: 2, failed: 1, skipped: 0 });
    const events = machines.reports.flatMap((report) => report.events);
    const texts = events.flatMap((event) => ('detail' in event ? [event.detail] : []));
    expect(texts).toEqual(fate === 'dies' ? ['QEMU ended\nKernel panic'] : []);
    expect(machines.told).toEqual([fate === 'unfit' ? `a: ${RESIDUE_TEST}` : 'a: the machine outlives it']);
  },
);

test('runLane() boots nothing anew after the last scenario, however that left the machine', async () => {
  const machines = new FakeMachines({ b: 'unfit' });
  await runLane(queueOf('a', 'b'), machines);
  expect(machines.boots).toBe(1);
});

test('runLane() counts a machine that does not come up as a failure of the lab, and retries once', async () => {
  const machines = new FakeMachines({}, 1);
  await runLane(queueOf('a'), machines);
  expect(machines.ran).toEqual(['a on 13 in boot 2']);
  expect(machines.told).toEqual(['lab: the lab machine runs to its end']);
});

test('runLane() gives up when no machine comes up, and leaves what waits to others', async () => {
  const machines = new FakeMachines({}, 99);
  const queue = queueOf('a', 'b');
  await runLane(queue, machines);
  expect(machines.boots).toBe(2);
  expect(queue.waiting.map(({ scenario: { name } }) => name)).toEqual(['a', 'b']);
  const ends = machines.reports.map(({ bootSeconds, end }) => [bootSeconds, end]);
  expect(ends).toEqual([
    [undefined, 'died'],
    [undefined, 'died'],
  ]);
});

test('runLane() goes on with the other release when its own is done', async () => {
  const machines = new FakeMachines();
  await runLane(new JobQueue(['13', '12'].map((release) => ({ release, scenario: scenario('a') }))), machines);
  expect(machines.ran).toEqual(['a on 13 in boot 1', 'a on 12 in boot 2']);
});

test('runLane() measures from the start of a machine to its first readiness, and to its end', async () => {
  let now = 0;
  const machines = new FakeMachines();
  await runLane(queueOf('a'), machines, () => (now += 1000));
  expect(machines.reports.map(({ bootSeconds, seconds }) => [bootSeconds, seconds])).toEqual([[1, 2]]);
});

test('runLane() boots no other machine once it is interrupted', async () => {
  const interruption = new AbortController();
  const machines = Object.assign(new FakeMachines({ a: 'dies' }), { interrupted: interruption.signal });
  const queue = queueOf('a', 'b');
  const run = runLane(queue, machines);
  interruption.abort();
  await run;
  expect(machines.boots).toBe(1);
  expect(queue.waiting.map(({ scenario: { name } }) => name)).toEqual(['b']);
});
