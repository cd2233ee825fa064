import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, cpSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import type { LabEvent } from '../events.js';
import { parseScenario, SERVICES, type Scenario } from '../plan.js';
import { readArguments } from './arguments.js';
import { laneCount } from './lanes.js';
import { machineFolder } from './machine.js';
import { makeProjectImage } from './project-image.js';
import { findAccelerator, type Boot } from './qemu.js';
import { chooseReleases, parseReleases, RELEASES_FILE } from './releases.js';
import { report, reportDemo } from './report.js';
import { runMachine, runShell } from './run-machine.js';
import { say } from './say.js';
import { closingLine, tallyOf } from './tally.js';

const SCENARIOS = 'lab/scenarios';
const OUT = '.lab';
const BOOT_SECONDS = 300;

process.exitCode = await main(process.argv.slice(2));

/** See USAGE; without a scenario, all of the release. */
async function main(words: readonly string[]): Promise<number> {
  try {
    const { task, scenarios: names, tallyFile, ...wish } = readArguments(words);
    const known = parseReleases(readFileSync(RELEASES_FILE, 'utf8'));
    const [release] = chooseReleases(wish.releases, known);
    const all = readScenarios(known.map(({ name }) => name) as [string, ...string[]]);
    if (task === 'list') {
      for (const { name, services, limitSeconds, releases } of all) process.stdout.write(`${name.padEnd(24)} limit ${limitSeconds} s, Debian ${releases.join(' and ')}${services.length > 0 ? `, needs ${services.join(' and ')}` : ''}\n`);
      return 0;
    }
    const wanted = names.map((word) => basename(word, '.ts'));
    const unknown = wanted.filter((name) => !all.some((scenario) => scenario.name === name));
    if (unknown.length > 0) return complain(`There is no scenario ${unknown.join(', ')}. Those there are: ${all.map(({ name }) => name).join(', ')}`, 2);
    const chosen = task === 'demo' ? all.filter(({ name }) => name === 'demo') : wanted.length > 0 ? wanted.flatMap((name) => all.filter((scenario) => scenario.name === name)) : all.filter(({ releases }) => releases.includes(release.name));
    const machine = await machineFolder(release);
    if (task === 'build') return 0;
    if (task === 'shell') return await shell(machine);
    return await runAll(machine, chosen, task === 'demo', tallyFile);
  } catch (error) {
    return complain(error instanceof Error ? error.message : String(error), 1);
  }
}

function readScenarios(releases: readonly [string, ...string[]]): readonly Scenario[] {
  return readdirSync(SCENARIOS)
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .map((file) => parseScenario(basename(file, '.ts'), readFileSync(join(SCENARIOS, file), 'utf8'), releases));
}

async function runAll(machine: string, chosen: readonly Scenario[], demo: boolean, tallyFile: string | undefined): Promise<number> {
  const accelerator = findAccelerator(machine);
  const lanes = laneCount(accelerator, chosen.length);
  const project = prepare(machine);
  const services = SERVICES.filter((service) => chosen.some((scenario) => scenario.services.includes(service)));
  for (const { name } of chosen) rmSync(join(OUT, name), { recursive: true, force: true });
  const totalSeconds = BOOT_SECONDS + chosen.reduce((total, { limitSeconds }) => total + limitSeconds + 20, 0);
  const boots = Array.from({ length: lanes }, (_unused, lane): Boot => ({ accelerator, cpus: lanes > 1 ? 1 : 2, machine, ...project, out: outFolder(lane), mode: 'run', services }));
  const way = accelerator === 'kvm' ? 'KVM' : 'software emulation';
  say(`Booting ${lanes > 1 ? `${lanes} lab machines side by side` : 'the lab machine'} (${way}); at most ${totalSeconds} s. Console: ${boots.map(({ out }) => `${relative('.', out)}/console.log`).join(', ')}`);
  const events: LabEvent[] = [];
  const waiting = [...chosen];
  const show = demo ? reportDemo : report;
  await Promise.all(boots.map(async (boot) => {
    const ran: LabEvent[] = [];
    try {
      await runMachine(boot, { bootSeconds: BOOT_SECONDS, totalSeconds }, () => waiting.shift(), (event) => {
        ran.push(event);
        show(event);
      });
    } catch (error) {
      const failure: LabEvent = { kind: 'test', scenario: 'lab', name: 'the lab machine runs to its end', outcome: 'failed', ms: 0, detail: `${error instanceof Error ? error.message : String(error)}\n${consoleEnd(boot.out)}` };
      ran.push(failure);
      report(failure);
    }
    keepCapabilities(boot.out, machine);
    for (const event of ran) if (event.kind === 'scenario-started') collect(boot.out, event.scenario, ran);
    events.push(...ran);
  }));
  const tally = tallyOf(events);
  if (tallyFile !== undefined) writeFileSync(tallyFile, JSON.stringify(tally));
  if (!demo || tally.failed > 0) say(`${closingLine(tally)}. Logs: ${OUT}/`);
  return tally.failed > 0 || tally.passed === 0 ? 1 : 0;
}

async function shell(machine: string): Promise<number> {
  const accelerator = findAccelerator(machine);
  const boot: Boot = { accelerator, cpus: 2, machine, ...prepare(machine), out: outFolder(0), mode: 'shell', services: SERVICES };
  say('Booting the lab machine; leave its shell to power it off, Ctrl-A X to stop it at once');
  await runShell(boot);
  return 0;
}

function prepare(machine: string): Pick<Boot, 'projectImage'> {
  for (const name of readdirSync(OUT)) if (/^machine(?:-\d+)?$/.test(name)) rmSync(join(OUT, name), { recursive: true });
  const projectImage = resolve(OUT, 'project.img');
  makeProjectImage(resolve(OUT, 'project'), projectImage, machine);
  return { projectImage };
}

/** What the machine of a lane sees as /out. */
function outFolder(lane: number): string {
  const out = resolve(OUT, lane === 0 ? 'machine' : `machine-${lane + 1}`);
  mkdirSync(join(out, 'log'), { recursive: true });
  return out;
}

/** What libvirt found out about QEMU takes it 6 s under emulation, so the next boot gets it from here. */
function keepCapabilities(out: string, machine: string): void {
  const found = join(out, 'capabilities');
  if (existsSync(found) && !existsSync(join(machine, 'capabilities'))) cpSync(found, join(machine, 'capabilities'), { recursive: true, preserveTimestamps: true });
}

/** Puts what the machine left in /out/SCENARIO, with its events, where people look for it: .lab/SCENARIO. */
function collect(out: string, name: string, events: readonly LabEvent[]): void {
  const folder = join(OUT, name);
  if (existsSync(join(out, name))) renameSync(join(out, name), folder);
  else mkdirSync(folder, { recursive: true });
  const own = events.filter((event) => 'scenario' in event && event.scenario === name);
  writeFileSync(join(folder, 'events.ndjson'), own.map((event) => `${JSON.stringify(event)}\n`).join(''));
  if (existsSync(join(out, 'console.log'))) cpSync(join(out, 'console.log'), join(folder, 'console.log'));
}

function consoleEnd(out: string): string {
  const file = join(out, 'console.log');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-15) : [];
  return `The end of its console:\n  ${lines.join('\n  ')}\nTo look around in it: npm run lab:shell. If KVM is at fault: LIBVIRT_VOLUME_LAB_ACCEL=tcg npm run lab`;
}

function complain(text: string, status: number): number {
  process.stderr.write(`\nThe lab cannot run. ${text}\n`);
  return status;
}
