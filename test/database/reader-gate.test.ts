import { expect, test } from '@jest/globals';
import { ReaderGate } from '../../src/database/reader-gate.js';
import { FakeClock } from '../fakes/fake-clock.js';

const SIGNAL = new AbortController().signal;

test('ReaderGate.pass() lets sixteen in at once, and the others in order', async () => {
  const clock = new FakeClock();
  const gate = new ReaderGate({ clock });
  const begun: number[] = [];
  let [inside, most] = [0, 0];
  await Promise.all(
    Array.from({ length: 50 }, async (_unused, index) => {
      await gate.pass(
        async () => 10_000,
        SIGNAL,
        async () => {
          begun.push(index);
          most = Math.max(most, ++inside);
          await clock.sleep(100, SIGNAL);
          inside -= 1;
        },
      );
    }),
  );
  expect([most, begun, clock.now()]).toEqual([16, Array.from({ length: 50 }, (_unused, index) => index), 400]);
});

test("ReaderGate.pass() of a target's waiters holds others up no longer than the records take", async () => {
  const clock = new FakeClock();
  const gate = new ReaderGate({ clock });
  const slow = Array.from({ length: 16 }, async () => {
    await gate.pass(
      async () => 500,
      SIGNAL,
      async () => {
        await clock.sleep(60_000, SIGNAL);
      },
    );
  });
  const began = await gate.pass(
    async () => 500,
    SIGNAL,
    async () => clock.now(),
  );
  expect(began).toBe(2_500);
  await Promise.all(slow);
});

test('ReaderGate.pass() that is aborted while it waits starts nothing and takes no place', async () => {
  const clock = new FakeClock();
  const gate = new ReaderGate({ clock });
  const controller = new AbortController();
  const first = Array.from({ length: 16 }, async () => {
    await gate.pass(
      async () => 10_000,
      SIGNAL,
      async () => {
        await clock.sleep(100, SIGNAL);
        controller.abort();
      },
    );
  });
  const left = gate.pass(
    async () => 10_000,
    controller.signal,
    async () => {
      throw new Error('begun');
    },
  );
  await expect(left).rejects.toMatchObject({ code: 'ABORTED' });
  await Promise.all(first);
  expect(
    await gate.pass(
      async () => 10_000,
      SIGNAL,
      async () => 'in',
    ),
  ).toBe('in');
});
