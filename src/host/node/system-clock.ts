import { setTimeout as sleep } from 'node:timers/promises';
import { aborted, throwIfAborted } from '../../base/aborted.js';
import type { Clock } from '../clock.js';

export const SYSTEM_CLOCK: Clock = {
  // CLOCK_MONOTONIC (libuv, src/unix/linux.c, uv__hrtime), which counts from the boot (clock_gettime(2))
  now: () => Number(process.hrtime.bigint()) / 1e6,
  sleep: async (ms, signal) => {
    throwIfAborted(signal);
    try {
      await sleep(ms, undefined, { signal });
    } catch {
      throw aborted(signal);
    }
  },
};
