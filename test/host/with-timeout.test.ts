import { describe, expect, test } from '@jest/globals';
import { withTimeout } from '../../src/host/with-timeout.js';
import { FakeClock } from '../fakes/fake-clock.js';

const limits = (signal = new AbortController().signal): Parameters<typeof withTimeout>[1] => ({
  clock: new FakeClock(),
  timeoutMs: 1_000,
  signal,
});

describe('withTimeout()', () => {
  test('withTimeout() gives a result in time, also undefined', async () => {
    expect(await withTimeout(Promise.resolve(undefined), limits())).toEqual({ result: undefined });
  });

  test('withTimeout() gives undefined when the time is up, after exactly that time', async () => {
    const asked = limits();
    expect(await withTimeout(new Promise(() => undefined), asked)).toBeUndefined();
    expect(asked.clock.now()).toBeGreaterThanOrEqual(1_000);
    expect(asked.clock.now()).toBeLessThan(1_010);
  });

  test('withTimeout() passes on a failure in time, and drops a later one', async () => {
    await expect(withTimeout(Promise.reject(new Error('EIO')), limits())).rejects.toThrow('EIO');
    let fail: (reason: Error) => void = () => undefined;
    const work = new Promise<never>((_resolve, reject) => {
      fail = reject;
    });
    expect(await withTimeout(work, limits())).toBeUndefined();
    fail(new Error('too late'));
    await new Promise((resolve) => setImmediate(resolve)); // an unhandled rejection would end the run
  });

  test('withTimeout() ends with ABORTED when the signal aborts', async () => {
    await expect(withTimeout(new Promise(() => undefined), limits(AbortSignal.abort()))).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });
});
