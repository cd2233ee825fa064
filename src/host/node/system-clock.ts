import { setTimeout as sleep } from 'node:timers/promises';
import { aborted, throwIfAborted } from '../../base/aborted.js';
import type { Clock } from '../clock.js';

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    throwIfAborted(signal);
    try {
      await sleep(ms, undefined, { signal });
    } catch {
      throw aborted(signal);
    }
  },
};
