import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, cpSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LabEvent } from '../events.js';
import { SERVICES, type Scenario } from '../plan.js';
import { failuresOf, failuresTable } from './failures.js';
import { figuresOf, figuresTable, type BootFigures } from './figures.js';
import { JobQueue, type Job } from './jobs.js';
import { runLane, type BootReport } from './lane.js';
import { laneCount } from './lanes.js';
import { makeProjectImage } from './project-image.js';
import { findAccelerator, type Boot } from './qemu.js';
import { Reporter } from './report.js';
import { runMachine, STOPPING_SIGNALS } from './run-machine.js';
import { say } from './say.js';
import { closingLine, tallyOf } from './tally.js';

const OUT = '.lab';

/** The machine of a release: its name and machineFolder(). */
export interface ReleaseMachine {
  readonly release: string;
  readonly folder: string;
}

export interface RunOptions {
  readonly isDemo: boolean;
  readonly tallyFile?: string;
}

/** Runs all jobs, in as many machines side by side as the host has room for. @returns the exit status */
export async function runAll(
  machines: readonly [ReleaseMachine, ...ReleaseMachine[]],
  jobs: readonly Job[],
  { isDemo, tallyFile }: RunOptions,
): Promise<number> {
  const accelerator = findAccelerator(machines[0].folder);
  const lanes = laneCount(accelerator, jobs.length);
  const images = new Map(
    machines.map(({ release, folder }) => [release, { machine: folder, projectImage: makeImage(release, folder) }]),
  );
  for (const name of readdirSync(OUT))
    if (/^machine(?:-\d+)?$/.test(name)) rmSync(join(OUT, name), { recursive: true });
  for (const { release, scenario } of jobs) rmSync(join(OUT, release, scenario.name), { recursive: true, force: true });
  const what = lanes > 1 ? `${lanes} lab machines side by side` : 'the lab machine';
  const way = accelerator === 'kvm' ? 'KVM' : 'software emulation';
  const names = machines.map(({ release }) => release).join(' and ');
  say(`Booting ${what} (${way}), Debian ${names}. Consoles: ${OUT}/machine*/console.log`);
  const queue = new JobQueue(jobs);
  const reporter = new Reporter({ isDemo, namesRelease: machines.length > 1 });
  const interruption = new AbortController();
  for (const signal of STOPPING_SIGNALS)
    process.on(signal, () => {
      interruption.abort();
    });
  const begin = performance.now();
  const reports: BootReport[] = [];
  const figures: BootFigures[] = [];
  await Promise.all(
    Array.from({ length: lanes }, async (_unused, lane) => {
      const out = resolve(OUT, lane === 0 ? 'machine' : `machine-${lane + 1}`);
      await runLane(queue, {
        interrupted: interruption.signal,
        run: async (release, next, onEvent) => {
          const image = images.get(release);
          if (image === undefined) throw new Error(`There is no machine of Debian ${release}`);
          rmSync(out, { recursive: true, force: true });
          mkdirSync(join(out, 'log'), { recursive: true });
          const needed = jobs.filter((job) => job.release === release).flatMap((job) => job.scenario.services);
          const services = SERVICES.filter((service) => needed.includes(service));
          const boot = { accelerator, cpus: lanes > 1 ? 1 : 2, ...image, out, mode: 'run', services } as const;
          await runMachine(boot, next, onEvent);
        },
        consoleEnd: () => consoleEnd(join(out, 'console.log')),
        event: (event, release) => {
          reporter.report(event, release);
        },
        ended: (report) => {
          reports.push(report);
          figures.push({ ...report, lane: lane + 1, endedAt: (performance.now() - begin) / 1000 });
          keepCapabilities(out, images.get(report.release)?.machine);
          for (const event of report.events) {
            if (event.kind === 'scenario-started') collect(out, report.release, event.scenario, report.events);
          }
        },
      });
    }),
  );
  const events = [...reports.flatMap((report) => report.events), ...queue.waiting.map(neverRan)];
  for (const { release, scenario } of queue.waiting) reporter.report(neverRan({ release, scenario }), release);
  const tally = tallyOf(events);
  const all = figuresOf(figures, (performance.now() - begin) / 1000);
  if (!isDemo && jobs.length > 1) process.stderr.write(`\n${figuresTable(all)}\n\n`);
  const failures = [
    ...reports.flatMap((report) => failuresOf(report.events, report.release)),
    ...queue.waiting.flatMap((job) => failuresOf([neverRan(job)], job.release)),
  ];
  if (!isDemo && failures.length > 0) process.stderr.write(`${failuresTable(failures)}\n`);
  if (tallyFile !== undefined) writeFileSync(tallyFile, JSON.stringify({ ...tally, failures, ...all }));
  if (!isDemo || tally.failed > 0) say(`${closingLine(tally)}. Logs: ${OUT}/`);
  return tally.failed > 0 || tally.passed === 0 ? 1 : 0;
}

/** What the machine boots with beside its release's images. @returns the file with the project */
export function makeImage(release: string, machine: string): string {
  const image = resolve(OUT, `project-${release}.img`);
  makeProjectImage(resolve(OUT, 'project'), image, machine);
  return image;
}

function neverRan({ scenario }: { readonly scenario: Pick<Scenario, 'name'>; readonly release: string }): LabEvent {
  const detail = 'There was no machine left to run it in';
  return { kind: 'test', scenario: scenario.name, name: 'it is run', outcome: 'failed', ms: 0, detail };
}

/** What libvirt found out about QEMU takes it 6 s under emulation, so the next boot gets it from here. */
function keepCapabilities(out: string, machine: string | undefined): void {
  const found = join(out, 'capabilities');
  if (machine === undefined || !existsSync(found) || existsSync(join(machine, 'capabilities'))) return;
  cpSync(found, join(machine, 'capabilities'), { recursive: true, preserveTimestamps: true });
}

/** Puts what the machine left in /out/SCENARIO, with its events, where people look for it: .lab/RELEASE/SCENARIO. */
function collect(out: string, release: string, name: string, events: readonly LabEvent[]): void {
  const folder = join(OUT, release, name);
  if (existsSync(join(out, name))) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(OUT, release), { recursive: true });
    renameSync(join(out, name), folder);
  }
  mkdirSync(folder, { recursive: true });
  const own = events.filter((event) => 'scenario' in event && event.scenario === name);
  writeFileSync(join(folder, 'events.ndjson'), own.map((event) => `${JSON.stringify(event)}\n`).join(''));
  if (existsSync(join(out, 'console.log'))) cpSync(join(out, 'console.log'), join(folder, 'console.log'));
}

function consoleEnd(file: string): string {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-15) : [];
  const ways = 'To look around in it: npm run lab:shell. If KVM is at fault: LIBVIRT_VOLUME_LAB_ACCEL=tcg npm run lab';
  return `The end of its console:\n  ${lines.join('\n  ')}\n${ways}`;
}

/** For the shell. */
export function shellBoot({ release, folder }: ReleaseMachine): Boot {
  const out = resolve(OUT, 'machine');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(join(out, 'log'), { recursive: true });
  const projectImage = makeImage(release, folder);
  return {
    accelerator: findAccelerator(folder),
    cpus: 2,
    machine: folder,
    projectImage,
    out,
    mode: 'shell',
    services: SERVICES,
  };
}
