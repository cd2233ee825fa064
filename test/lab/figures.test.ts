import { expect, test } from '@jest/globals';
import type { LabEvent } from '../../lab/events.js';
import { figuresOf, figuresTable } from '../../lab/host/figures.js';

const ended = (scenario: string, ms: number, idleMs: number): LabEvent => ({
  kind: 'scenario-ended',
  scenario,
  exitCode: 0,
  ms,
  idleMs,
});
const BOOTS = [
  {
    lane: 1,
    release: '13',
    bootSeconds: 12.34,
    seconds: 220,
    end: 'done',
    endedAt: 221,
    events: [ended('short', 20_000, 5_000), ended('long', 180_020, 90_000)],
  },
  {
    lane: 2,
    release: '12',
    bootSeconds: 20,
    seconds: 61,
    end: 'unfit',
    endedAt: 61,
    events: [ended('short', 40_000, 0)],
  },
  { lane: 2, release: '12', events: [], bootSeconds: undefined, seconds: 39, end: 'died', endedAt: 101 },
] as const;

test('figuresOf() has all scenarios, the longest first, and what each lane waited for the others', () => {
  expect(figuresOf(BOOTS, 221)).toEqual({
    seconds: 221,
    scenarios: [
      { scenario: 'long', release: '13', lane: 1, seconds: 180, idleSeconds: 90 },
      { scenario: 'short', release: '12', lane: 2, seconds: 40, idleSeconds: 0 },
      { scenario: 'short', release: '13', lane: 1, seconds: 20, idleSeconds: 5 },
    ],
    boots: [
      { lane: 1, release: '13', seconds: 12.3, end: 'done' },
      { lane: 2, release: '12', seconds: 20, end: 'unfit' },
      { lane: 2, release: '12', end: 'died' },
    ],
    lanes: [
      { lane: 1, scenarioSeconds: 200, waitSeconds: 0 },
      { lane: 2, scenarioSeconds: 40, waitSeconds: 120 },
    ],
  });
});

test('figuresTable() shows them in columns', () => {
  expect(
    figuresTable(figuresOf(BOOTS, 221))
      .split('\n')
      .map((line) => line.trimEnd()),
  ).toEqual([
    'scenario                     release  lane   seconds    idle',
    'long                              13     1     180.0    50 %',
    'short                             12     2      40.0     0 %',
    'short                             13     1      20.0    25 %',
    'all scenarios                                  240.0    40 %',
    'boot                              13     1      12.3',
    'boot, unfit                       12     2      20.0',
    'boot, died                        12     2  never up',
    'waiting for other lanes                  1       0.0',
    'waiting for other lanes                  2     120.0',
    'the whole run                                  221.0',
  ]);
});
