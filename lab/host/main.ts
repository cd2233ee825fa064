import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseScenario, type Scenario } from '../plan.js';
import { readArguments, USAGE } from './arguments.js';
import { longestFirst, type Job } from './jobs.js';
import { machineFolder } from './machine.js';
import { chooseReleases, parseReleases, RELEASES_FILE, type Release, type Releases } from './releases.js';
import { runAll, shellBoot, type ReleaseMachine } from './run-all.js';
import { runShell } from './run-machine.js';
import { say } from './say.js';

const SCENARIOS = 'lab/scenarios';

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(
    `\nThe lab cannot run. ${error instanceof Error ? error.message : String(error)}\nUsage: ${USAGE}\n`,
  );
  process.exitCode = 1;
}

async function main(words: readonly string[]): Promise<number> {
  const { task, scenarios: names, tallyFile, ...wish } = readArguments(words);
  const known = parseReleases(readFileSync(RELEASES_FILE, 'utf8'));
  const releases = chooseReleases(wish.releases, known);
  const all = readScenarios(known);
  if (task === 'list') {
    for (const { name, services, limitSeconds, releases: own } of all) {
      const needs = services.length > 0 ? `, needs ${services.join(' and ')}` : '';
      process.stdout.write(
        `${name.padEnd(28)} limit ${limitSeconds} s, ` +
          `${own.length > 0 ? `Debian ${own.join(' and ')}` : 'by name alone'}${needs}\n`,
      );
    }
    return 0;
  }
  const jobs = jobsOf(all, releases, task === 'demo' ? ['demo'] : names.map((word) => basename(word, '.ts')));
  const [first, ...others] = releases;
  const machines: [ReleaseMachine, ...ReleaseMachine[]] = [await machineOf(first)];
  if (task !== 'shell') for (const release of others) machines.push(await machineOf(release));
  if (task === 'build') return 0;
  if (task === 'shell') {
    say(`Booting the lab machine, Debian ${first.name}; leave its shell to power it off, Ctrl-A X to stop it at once`);
    await runShell(shellBoot(machines[0]));
    return 0;
  }
  return await runAll(machines, jobs, { isDemo: task === 'demo', ...(tallyFile === undefined ? {} : { tallyFile }) });
}

/**
 * Those that are named, in that order and in every release; without names, in each release what says that it runs
 * there.
 * @throws {RangeError} naming the scenarios there are
 */
function jobsOf(all: readonly Scenario[], releases: readonly Release[], names: readonly string[]): readonly Job[] {
  const unknown = names.filter((name) => !all.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    throw new RangeError(
      `There is no scenario ${unknown.join(', ')}. Those there are: ${all.map(({ name }) => name).join(', ')}`,
    );
  }
  const named = names.flatMap((name) => all.filter((scenario) => scenario.name === name));
  const inEach = (choose: (release: string) => readonly Scenario[]): readonly Job[] =>
    releases.flatMap(({ name: release }) => choose(release).map((scenario) => ({ scenario, release })));
  if (named.length > 0) return inEach(() => named);
  return longestFirst(inEach((release) => all.filter((scenario) => scenario.releases.includes(release))));
}

function readScenarios([first, ...others]: Releases): readonly Scenario[] {
  const names = [first.name, ...others.map(({ name }) => name)] as const;
  return readdirSync(SCENARIOS)
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .map((file) => parseScenario(basename(file, '.ts'), readFileSync(join(SCENARIOS, file), 'utf8'), names));
}

async function machineOf(release: Release): Promise<ReleaseMachine> {
  return { release: release.name, folder: await machineFolder(release) };
}
