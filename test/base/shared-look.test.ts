import { expect, test } from '@jest/globals';
import { SharedLook } from '../../src/base/shared-look.js';

/** Looks that end when they are told to; each gives its number. */
function looks(): {
  readonly look: () => Promise<number>;
  readonly end: (error?: Error) => Promise<void>;
  count: number;
} {
  const ends: ((error?: Error) => void)[] = [];
  const all = {
    count: 0,
    look: async (): Promise<number> => {
      const number = ++all.count;
      await new Promise<void>((resolve, reject) => {
        ends.push((error) => {
          if (error === undefined) resolve();
          else reject(error);
        });
      });
      return number;
    },
    end: async (error?: Error): Promise<void> => {
      ends.shift()?.(error);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    },
  };
  return all;
}

test('SharedLook.take() gives those who ask while a look is under way one that begins after it', async () => {
  const all = looks();
  const shared = new SharedLook(all.look);
  const first = shared.take();
  const others = [shared.take(), shared.take(), shared.take()];
  await all.end();
  expect(await first).toBe(1);
  const late = shared.take();
  await all.end();
  expect(await Promise.all(others)).toEqual([2, 2, 2]);
  await all.end();
  expect(await late).toBe(3);
  expect(all.count).toBe(3);
});

test('SharedLook.take() looks anew after one that failed', async () => {
  const all = looks();
  const shared = new SharedLook(all.look);
  const failed = shared.take().catch((error: unknown) => String(error));
  const next = shared.take();
  await all.end(new Error('gone'));
  expect(await failed).toBe('Error: gone');
  await all.end();
  expect(await next).toBe(2);
  const alone = shared.take();
  await all.end();
  expect(await alone).toBe(3);
});
