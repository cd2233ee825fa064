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
  /** The longest first. */
  readonly scenarios: readonly ScenarioFigures[];
  readonly boots: readonly {
    readonly lane: number;
    readonly release: string;
    /** Until the machine was ready for a scenario; absent when it never was. */
    readonly seconds?: number;
    /** As in BootReport. */
    readonly end: string;
  }[];
  readonly lanes: readonly {
    readonly lane: number;
    readonly scenarioSeconds: number;
    /** After the lane's last scenario, while another lane went on. */
    readonly waitSeconds: number;
  }[];
}

interface ScenarioFigures {
  readonly scenario: string;
  readonly release: string;
  readonly lane: number;
  readonly seconds: number;
  /** How many of them the machine's processors had nothing to do. */
  readonly idleSeconds: number;
}

export function figuresOf(boots: readonly BootFigures[], seconds: number): Figures {
  const scenarios = boots.flatMap(({ release, lane, events }) =>
    events.flatMap((event): readonly ScenarioFigures[] => {
      if (event.kind !== 'scenario-ended') return [];
      const { scenario, ms, idleMs } = event;
      return [{ scenario, release, lane, seconds: tenths(ms / 1000), idleSeconds: tenths(idleMs / 1000) }];
    }),
  );
  const lanes = [...new Set(boots.map(({ lane }) => lane))].sort((a, b) => a - b);
  return {
    seconds: tenths(seconds),
    scenarios: scenarios.sort((a, b) => b.seconds - a.seconds),
    boots: boots.map(({ lane, release, bootSeconds, end }) => ({
      lane,
      release,
      ...(bootSeconds === undefined ? {} : { seconds: tenths(bootSeconds) }),
      end,
    })),
    lanes: lanes.map((lane) => ({
      lane,
      scenarioSeconds: tenths(
        sum(scenarios.filter((scenario) => scenario.lane === lane).map((scenario) => scenario.seconds)),
      ),
      waitSeconds: tenths(
        seconds - Math.max(...boots.filter((boot) => boot.lane === lane).map((boot) => boot.endedAt)),
      ),
    })),
  };
}

/** For a person, at the end of a run. */
export function figuresTable({ seconds, scenarios, boots, lanes }: Figures): string {
  const row = (name: string, release: string, lane: string | number, took: string, idle: string): string =>
    [name.padEnd(28), release.padStart(8), String(lane).padStart(6), took.padStart(10), idle.padStart(8)].join('');
  const percent = (part: number, whole: number): string => `${whole === 0 ? 0 : Math.round((part / whole) * 100)} %`;
  const spent = sum(scenarios.map((scenario) => scenario.seconds));
  const idle = sum(scenarios.map((scenario) => scenario.idleSeconds));
  return [
    row('scenario', 'release', 'lane', 'seconds', 'idle'),
    ...scenarios.map(({ scenario, release, lane, seconds: took, idleSeconds }) =>
      row(scenario, release, lane, took.toFixed(1), percent(idleSeconds, took)),
    ),
    row('all scenarios', '', '', spent.toFixed(1), percent(idle, spent)),
    ...boots.map(({ release, lane, end, seconds: took }) =>
      row(`boot${end === 'done' ? '' : `, ${end}`}`, release, lane, took?.toFixed(1) ?? 'never up', ''),
    ),
    ...lanes.map((lane) => row('waiting for other lanes', '', lane.lane, lane.waitSeconds.toFixed(1), '')),
    row('the whole run', '', '', seconds.toFixed(1), ''),
  ].join('\n');
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function tenths(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
