import { expect, test } from '@jest/globals';
import { JobQueue, longestFirst, type Job } from '../../lab/host/jobs.js';

const job = (name: string, release: string, seconds: number): Job => ({
  release,
  scenario: { name, seconds, services: [], releases: [release], limitSeconds: 360, spoils: false },
});
const JOBS = [job('a', '13', 300), job('b', '13', 200), job('c', '12', 100), job('d', '12', 90)];

test('longestFirst() keeps the order of those that take as long', () => {
  const sorted = longestFirst([job('x', '13', 30), job('y', '13', 60), job('z', '12', 30)]);
  expect(sorted.map(({ scenario }) => scenario.name)).toEqual(['y', 'x', 'z']);
});

test("JobQueue gives the machine of a release that release's scenarios, in their order", () => {
  const queue = new JobQueue(JOBS);
  const given = ['12', '13', '12', '12'].map((release) => queue.next(release)?.name);
  expect(given).toEqual(['c', 'a', 'd', undefined]);
  expect(queue.waiting.map(({ scenario }) => scenario.name)).toEqual(['b']);
});

test('JobQueue.claim() has each release on a machine first, the one with the most work before the others', () => {
  const queue = new JobQueue(JOBS);
  expect([queue.claim(), queue.claim(), queue.claim()]).toEqual(['13', '12', '13']);
});

test('JobQueue.claim() sends a machine whose release is done to the other one', () => {
  const queue = new JobQueue(JOBS);
  expect([queue.claim(), queue.claim()]).toEqual(['13', '12']);
  while (queue.next('12') !== undefined);
  queue.leave('12');
  expect(queue.claim()).toBe('13');
});

test('JobQueue.claim() boots no second machine for less than a boot is worth, but always a first one', () => {
  const queue = new JobQueue([job('short', '13', 20), job('shorter', '13', 10)]);
  expect([queue.claim(), queue.claim()]).toEqual(['13', undefined]);
  queue.leave('13');
  expect(queue.claim()).toBe('13');
});

test('JobQueue.claim() needs no machine when nothing waits', () => {
  expect(new JobQueue([]).claim()).toBeUndefined();
});
