import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { type QuickLane, ThreadPoolSlots } from '../../../src/host/node/thread-pool-slots.js';

async function taken(lanes: ThreadPoolSlots, count: number): Promise<readonly QuickLane[]> {
  const all = await Promise.all(Array.from({ length: count }, () => lanes.take()));
  return all.filter((lane) => lane !== undefined);
}

test('take() gives two lanes at once, and a third to whoever waits once one of them is free', async () => {
  const lanes = new ThreadPoolSlots();
  const [first] = await taken(lanes, 2);
  const third = lanes.take();
  expect(await Promise.race([third, sleep(20, 'nobody')])).toBe('nobody');
  first?.release();
  expect(await third).toBeDefined();
});

test('take() waits for no lane whose work is stuck', async () => {
  const lanes = new ThreadPoolSlots();
  expect(await taken(lanes, 2)).toHaveLength(2);
  expect(await lanes.take()).toBeUndefined(); // after a while; and from then on at once
  const began = performance.now();
  expect(await lanes.take()).toBeUndefined();
  expect(performance.now() - began).toBeLessThan(150);
});

test('take() gives up on lanes that others are always quicker to take', async () => {
  const lanes = new ThreadPoolSlots();
  let wanted = true;
  const busy = async (): Promise<void> => {
    while (wanted) {
      const lane = await lanes.take();
      await sleep(5);
      lane?.release();
    }
  };
  const others = Array.from({ length: 40 }, busy);
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const began = performance.now();
      (await lanes.take())?.release();
      return performance.now() - began;
    }),
  );
  wanted = false;
  await Promise.all(others);
  expect(Math.max(...outcomes)).toBeLessThan(1_500);
});
