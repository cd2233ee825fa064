import { describe, expect, test } from '@jest/globals';
import { within } from '../../src/host/within.js';
import { FakeClock } from '../fakes/fake-clock.js';

const limits = (signal = new AbortController().signal): Parameters<typeof within>[1] => ({
  clock: new FakeClock(),
  timeoutMs: 1_000,
  signal,
});

describe('within()', () => {
  test('within() gives a result in time, also undefined', async () => {
    expect(await within(Promise.resolve(undefined), limits())).toEqual({ result: undefined });
  });

  test('within() gives undefined when the time is up, after exactly that time', async () => {
    const asked = limits();
    expect(await within(new Promise(() => undefined), asked)).toBeUndefined();
    expect(asked.clock.now()).toBeGreaterThanOrEqual(1_000);
    expect(asked.clock.now()).toBeLessThan(1_010);
  });

  test('within() passes on a failure in time, and drops a later one', async () => {
    await expect(within(Promise.reject(new Error('EIO')), limits())).rejects.toThrow('EIO');
    let fail: (reason: Error) => void = () => undefined;
    const work = new Promise<never>((_resolve, reject) => {
      fail = reject;
    });
    expect(await within(work, limits())).toBeUndefined();
    fail(new Error('too late'));
    await new Promise((resolve) => setImmediate(resolve)); // an unhandled rejection would end the run
  });

  test('within() ends with ABORTED when the signal aborts', async () => {
    await expect(within(new Promise(() => undefined), limits(AbortSignal.abort()))).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });
});
