import { expect, test } from '@jest/globals';
import { EventHub } from '../../src/events/event-hub.js';
import type { VolumeEvent } from '../../src/events/volume-event.js';
import { RecordedLog } from '../driver/recorded-world.js';

const FAILED: VolumeEvent = {
  kind: 'login-failed',
  iface: 'iser',
  target: 'iqn.2026-11.org.example:t',
  portal: '192.0.2.10:3260',
  code: 'PORTAL_UNREACHABLE',
};

function openHub(): { readonly hub: EventHub; readonly log: RecordedLog } {
  const log = new RecordedLog();
  return { hub: new EventHub({ logger: log }), log };
}

test('emit() calls every listener, in the order of subscription, before it returns', () => {
  const { hub } = openHub();
  const told: unknown[] = [];
  hub.subscribe((event) => told.push(['first', event]));
  hub.subscribe((event) => told.push(['second', event]));
  hub.emit(FAILED);
  expect(told).toEqual([
    ['first', FAILED],
    ['second', FAILED],
  ]);
});

test('subscribe() returns an end of its own subscription only, which may be called again', () => {
  const { hub } = openHub();
  const told: VolumeEvent[] = [];
  const listener = (event: VolumeEvent): void => {
    told.push(event);
  };
  const end = hub.subscribe(listener);
  hub.subscribe(listener);
  hub.emit(FAILED);
  end();
  end();
  hub.emit(FAILED);
  expect(told).toHaveLength(3);
});

test('emit() is not affected by a listener that unsubscribes itself or another', () => {
  const { hub } = openHub();
  const told: string[] = [];
  const ends = [
    hub.subscribe(() => {
      told.push('first');
      ends.forEach((end) => {
        end();
      });
    }),
    hub.subscribe(() => told.push('second')),
  ];
  hub.emit(FAILED);
  hub.emit(FAILED);
  expect(told).toEqual(['first', 'second']);
});

test.each([
  [
    'throws',
    (): never => {
      throw new Error('disk full', { cause: new Error('ENOSPC') });
    },
  ],
  ['rejects', async (): Promise<never> => Promise.reject(new Error('disk full', { cause: new Error('ENOSPC') }))],
])('emit() logs a listener that %s, and affects neither driver nor next listener', async (_how, listener) => {
  const { hub, log } = openHub();
  const told: VolumeEvent[] = [];
  hub.subscribe(listener);
  hub.subscribe((event) => told.push(event));
  hub.emit(FAILED);
  expect(told).toEqual([FAILED]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(log.lines).toEqual([
    {
      level: 'warn',
      message: 'A listener to volume events failed',
      fields: { event: 'login-failed', reason: 'disk full: ENOSPC' },
    },
  ]);
});

test('emit() hides what a listener writes into an event from all others', async () => {
  const { hub, log } = openHub();
  const told: VolumeEvent[] = [];
  hub.subscribe((event) => Object.assign(event, { code: 'NONE' }));
  hub.subscribe((event) => told.push(event));
  hub.emit(FAILED);
  await new Promise((resolve) => setImmediate(resolve));
  expect({ told, code: FAILED.code, warnings: log.lines.length }).toEqual({
    told: [FAILED],
    code: 'PORTAL_UNREACHABLE',
    warnings: 1,
  });
});
