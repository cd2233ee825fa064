import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { VolumeError } from '../../../src/base/volume-error.js';
import { SYSTEM_CLOCK } from '../../../src/host/node/system-clock.js';
import { knowCoreErrors } from '../core-errors.js';

knowCoreErrors();
const SIGNAL = new AbortController().signal;

test('now() never goes back', () => {
  const times = Array.from({ length: 1000 }, () => SYSTEM_CLOCK.now());
  expect(times).toEqual(times.toSorted((one, other) => one - other));
});
test('now() is the same in another process', () => {
  const before = SYSTEM_CLOCK.now();
  const there = Number(
    execFileSync(process.execPath, ['-p', 'Number(process.hrtime.bigint()) / 1e6'], { encoding: 'utf8' }),
  );
  expect({ between: before < there && there < SYSTEM_CLOCK.now(), there }).toMatchObject({ between: true });
});
test('sleep() takes as long as it was told', async () => {
  const began = SYSTEM_CLOCK.now();
  await SYSTEM_CLOCK.sleep(30, SIGNAL);
  expect(SYSTEM_CLOCK.now() - began).toBeGreaterThanOrEqual(29); // timers count whole milliseconds
});
test('sleep() ends with ABORTED as soon as the signal aborts', async () => {
  const controller = new AbortController();
  const began = SYSTEM_CLOCK.now();
  const sleeping = SYSTEM_CLOCK.sleep(60_000, controller.signal);
  controller.abort();
  await expect(sleeping).rejects.toMatchObject({ code: 'ABORTED', message: 'Stopped as the caller asked' });
  expect(SYSTEM_CLOCK.now() - began).toBeLessThan(5000);
});
test('sleep() rejects at once when the signal has aborted', async () => {
  await expect(SYSTEM_CLOCK.sleep(60_000, AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' });
});
test('sleep() distinguishes a time limit from an aborting caller', async () => {
  await expect(SYSTEM_CLOCK.sleep(60_000, AbortSignal.timeout(5))).rejects.toMatchObject({
    code: 'ABORTED',
    message: 'Stopped as the time limit passed',
  });
});
test("sleep() rejects with the signal's own VolumeError", async () => {
  const reason = new VolumeError('ABORTED', 'Stopped by the test');
  await expect(SYSTEM_CLOCK.sleep(60_000, AbortSignal.abort(reason))).rejects.toBe(reason);
});
