import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { whileFilesMayOpen } from '../../../src/host/node/open-files.js';

test('whileFilesMayOpen() has 128 readers at most at once, lets all through, and gives their errors on', async () => {
  let [now, most] = [0, 0];
  const results = await Promise.allSettled(
    Array.from(
      { length: 1_000 },
      async (_unused, index) =>
        await whileFilesMayOpen(async () => {
          most = Math.max(most, ++now);
          await turn();
          now -= 1;
          if (index % 10 === 0) throw new Error('EIO');
          return index;
        }),
    ),
  );
  expect(most).toBe(128);
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(100);
});
