import type { BootReport } from './lane.js';

export interface BootFigures extends BootReport {
  /** From 1 on. */
  readonly lane: number;
  /** Seconds from the start of the run. */
  readonly endedAt: number;
}

/** Where the time of a run went. All times in seconds. */
export interface Figures {
  readonly seconds: number;
  /** The longest first. Of `seconds`, the processors of the machine were idle for `idleSeconds`. */
  readonly scenarios: readonly { readonly scenario: string; readonly release: string; readonly lane: number; readonly seconds: number; readonly idleSeconds: number }[];
  /** `seconds` until the machine was ready for a scenario; absent when it never was. `end` as in BootReport. */
  readonly boots: readonly { readonly lane: number; readonly release: string; readonly seconds?: number; readonly end: string }[];
  /** `scenarioSeconds` were spent in scenarios, `waitSeconds` after the lane's last one while another lane went on. */
  readonly lanes: readonly { readonly lane: number; readonly scenarioSeconds: number; readonly waitSeconds: number }[];
}

export function figuresOf(boots: readonly BootFigures[], seconds: number): Figures {
  const scenarios = boots.flatMap(({ release, lane, events }) => events.flatMap((event) =>
    event.kind === 'scenario-ended' ? [{ scenario: event.scenario, release, lane, seconds: tenths(event.ms / 1000), idleSeconds: tenths(event.idleMs / 1000) }] : []));
  const lanes = [...new Set(boots.map(({ lane }) => lane))].sort((a, b) => a - b);
  return {
    seconds: tenths(seconds),
    scenarios: scenarios.sort((a, b) => b.seconds - a.seconds),
    boots: boots.map(({ lane, release, bootSeconds, end }) => ({ lane, release, ...(bootSeconds === undefined ? {} : { seconds: tenths(bootSeconds) }), end })),
    lanes: lanes.map((lane) => ({
      lane,
      scenarioSeconds: tenths(scenarios.filter((scenario) => scenario.lane === lane).reduce((total, scenario) => total + scenario.seconds, 0)),
      waitSeconds: tenths(seconds - Math.max(...boots.filter((boot) => boot.lane === lane).map(({ endedAt }) => endedAt))),
    })),
  };
}

/** For a person, at the end of a run. */
export function figuresTable({ seconds, scenarios, boots, lanes }: Figures): string {
  const row = (name: string, release: string, lane: string | number, took: string, idle: string): string => `${name.padEnd(28)}${release.padStart(8)}${String(lane).padStart(6)}${took.padStart(10)}${idle.padStart(8)}`;
  const percent = (part: number, whole: number): string => `${whole === 0 ? 0 : Math.round((part / whole) * 100)} %`;
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  const spent = sum(scenarios.map((scenario) => scenario.seconds));
  return [
    row('scenario', 'release', 'lane', 'seconds', 'idle'),
    ...scenarios.map((scenario) => row(scenario.scenario, scenario.release, scenario.lane, scenario.seconds.toFixed(1), percent(scenario.idleSeconds, scenario.seconds))),
    row('all scenarios', '', '', spent.toFixed(1), percent(sum(scenarios.map(({ idleSeconds }) => idleSeconds)), spent)),
    ...boots.map((boot) => row(`boot${boot.end === 'done' ? '' : `, ${boot.end}`}`, boot.release, boot.lane, boot.seconds?.toFixed(1) ?? 'never up', '')),
    ...lanes.map((lane) => row('waiting for other lanes', '', lane.lane, lane.waitSeconds.toFixed(1), '')),
    row('the whole run', '', '', seconds.toFixed(1), ''),
  ].join('\n');
}

function tenths(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
