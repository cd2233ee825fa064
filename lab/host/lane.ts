import type { LabEvent } from '../events.js';
import type { Scenario } from '../plan.js';
import type { JobQueue } from './jobs.js';

/** What a machine did between its boot and its end. */
export interface BootReport {
  readonly release: string;
  readonly events: readonly LabEvent[];
  /** From the start of QEMU until it was ready for a scenario; absent when it never was. */
  readonly bootSeconds: number | undefined;
  /** From the start of QEMU to its end. */
  readonly seconds: number;
  /**
   * `done`: there was no scenario left. `unfit`: a scenario left it so that no other could be run. `died`: it stopped
   * by itself, or was stopped.
   */
  readonly end: 'done' | 'unfit' | 'died';
}

export interface LaneHost {
  /** Boots the machine of a release and runs scenarios until there is none, as runMachine() does. */
  run(release: string, next: () => Scenario | undefined, onEvent: (event: LabEvent) => void): Promise<void>;
  /** The end of what the machine said, for a person. */
  consoleEnd(): string;
  event(event: LabEvent, release: string): void;
  ended(report: BootReport): void;
  /** The run was interrupted: no machine is booted any more. */
  readonly interrupted?: AbortSignal;
}

/** A machine that does not come up is tried again this many times in all: then the lane is given up. */
const BOOT_TRIES = 2;

/**
 * One machine after another until no scenario waits. A machine that is no longer fit, or that died, costs the scenario
 * that left it so a failed test; what comes after it runs in a machine booted anew.
 */
export async function runLane(queue: JobQueue, host: LaneHost, clock = (): number => performance.now()): Promise<void> {
  for (let failedBoots = 0; failedBoots < BOOT_TRIES && host.interrupted?.aborted !== true;) {
    const release = queue.claim();
    if (release === undefined) return;
    const report = await runBoot(release, queue, host, clock);
    queue.leave(release);
    failedBoots = report.bootSeconds === undefined ? failedBoots + 1 : 0;
    host.ended(report);
  }
}

async function runBoot(release: string, queue: JobQueue, host: LaneHost, clock: () => number): Promise<BootReport> {
  const begin = clock();
  const events: LabEvent[] = [];
  let bootSeconds: number | undefined;
  let running: string | undefined;
  let end: BootReport['end'] = 'done';
  const take = (event: LabEvent): void => {
    events.push(event);
    host.event(event, release);
  };
  const next = (): Scenario | undefined => {
    const scenario = queue.next(release);
    running = scenario?.name;
    return scenario;
  };
  try {
    await host.run(release, next, (event) => {
      if (event.kind === 'ready') bootSeconds ??= (clock() - begin) / 1000;
      if (event.kind === 'scenario-ended') running = undefined;
      if (event.kind === 'unfit') end = 'unfit';
      take(event);
    });
  } catch (error) {
    end = 'died';
    const scenario = running ?? 'lab';
    const name = running === undefined ? 'the lab machine runs to its end' : 'the machine outlives it';
    const detail = `${error instanceof Error ? error.message : String(error)}\n${host.consoleEnd()}`;
    take({ kind: 'test', scenario, name, outcome: 'failed', ms: 0, detail });
  }
  return { release, events, bootSeconds, seconds: (clock() - begin) / 1000, end };
}
