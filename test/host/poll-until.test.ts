import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { pollUntil } from '../../src/host/poll-until.js';
import { FakeClock } from '../fakes/fake-clock.js';

const SIGNAL = new AbortController().signal;

/** Asks a question that always has the same answer, and notes when it was asked. */
async function asked(
  timeoutMs: number,
  answer?: string,
): Promise<{ readonly answer: string | undefined; readonly times: readonly number[]; readonly ended: number }> {
  const clock = new FakeClock();
  const times: number[] = [];
  const result = await pollUntil(
    async () => {
      times.push(clock.now());
      return answer;
    },
    { clock, timeoutMs, signal: SIGNAL },
  );
  return { answer: result, times, ended: clock.now() };
}

test('pollUntil() sees what appears within 10 ms', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 400 }), async (appears) => {
      const clock = new FakeClock();
      await pollUntil(async () => (clock.now() >= appears ? 'there' : undefined), {
        clock,
        timeoutMs: 1000,
        signal: SIGNAL,
      });
      expect(clock.now() - appears).toBeGreaterThanOrEqual(0);
      expect(clock.now() - appears).toBeLessThan(10);
    }),
    { numRuns: 40 },
  );
});
test('pollUntil() returns an available answer at once', async () => {
  expect(await asked(1000, 'there')).toEqual({ answer: 'there', times: [0], ended: 0 });
});
test('pollUntil() asks with pauses that grow to 10 ms', async () => {
  expect((await asked(40)).times).toEqual([0, 1, 3, 7, 15, 25, 35, 45]);
});
test.each([
  ['a fifth of the time where a look is slow', 20, 100],
  ['all but a look every 250 ms where it is slower still', 200, 450],
])('pollUntil() leaves the processor to others: it looks %s', async (_when, lookMs, everyMs) => {
  const clock = new FakeClock();
  const times: number[] = [];
  await pollUntil(
    async () => {
      times.push(clock.now());
      await clock.sleep(lookMs, SIGNAL);
      return undefined;
    },
    { clock, timeoutMs: 5 * everyMs, signal: SIGNAL },
  );
  expect(times.slice(0, 4)).toEqual([0, everyMs, 2 * everyMs, 3 * everyMs]);
});
test('pollUntil() whose looks are slow takes less than a tenth of a processor after some seconds', async () => {
  const clock = new FakeClock();
  const times: number[] = [];
  await pollUntil(
    async () => {
      times.push(clock.now());
      await clock.sleep(10, SIGNAL);
      return undefined;
    },
    { clock, timeoutMs: 10_000, signal: SIGNAL },
  );
  const looksIn = (from: number, to: number): number => times.filter((time) => time >= from && time < to).length;
  expect([looksIn(0, 1_000), looksIn(2_000, 3_000), looksIn(8_000, 9_000)]).toEqual([20, 10, 6]);
});
test('pollUntil() looks once more at the end of its time, however long a look takes', async () => {
  const clock = new FakeClock();
  const times: number[] = [];
  await pollUntil(
    async () => {
      times.push(clock.now());
      await clock.sleep(20, SIGNAL);
      return undefined;
    },
    { clock, timeoutMs: 150, signal: SIGNAL },
  );
  expect(times).toEqual([0, 100, 150]);
});
test('pollUntil() gives undefined once the time is up, and not 10 ms later', async () => {
  const { answer, ended } = await asked(500);
  expect({ answer, late: ended - 500 < 10, early: ended < 500 }).toEqual({
    answer: undefined,
    late: true,
    early: false,
  });
});
test('pollUntil() without any time asks once', async () => {
  expect(await asked(0)).toEqual({ answer: undefined, times: [0], ended: 0 });
});
test('pollUntil() asks once more when the time is up', async () => {
  const clock = new FakeClock();
  expect(
    await pollUntil(async () => (clock.now() >= 100 ? 'late' : undefined), { clock, timeoutMs: 100, signal: SIGNAL }),
  ).toBe('late');
});
test.each([false, 0, '', null])('pollUntil() takes %p for an answer', async (answer) => {
  const clock = new FakeClock();
  expect(await pollUntil(async () => answer, { clock, timeoutMs: 1000, signal: SIGNAL })).toBe(answer);
  expect(clock.now()).toBe(0);
});

test('pollUntil() rejects with ABORTED when the signal aborts while it waits', async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const waiting = pollUntil(
    async () => {
      if (clock.now() >= 15) controller.abort();
      return undefined;
    },
    { clock, timeoutMs: 1000, signal: controller.signal },
  );
  await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' });
  expect(clock.now()).toBe(15);
});
test('pollUntil() asks nothing once the signal has aborted', async () => {
  let questions = 0;
  await expect(
    pollUntil(async () => ++questions, { clock: new FakeClock(), timeoutMs: 1000, signal: AbortSignal.abort() }),
  ).rejects.toMatchObject({ code: 'ABORTED' });
  expect(questions).toBe(0);
});
test('pollUntil() passes on the error of the question', async () => {
  await expect(
    pollUntil(() => Promise.reject(new RangeError('mine')), {
      clock: new FakeClock(),
      timeoutMs: 1000,
      signal: SIGNAL,
    }),
  ).rejects.toThrow('mine');
});
