import { expect, test } from '@jest/globals';
import { setUp, Undo } from '../../lab/machine/undo.js';

test('setUp() gives what was made, and undoes nothing', async () => {
  const undone: number[] = [];
  const made = await setUp(async (undo) => {
    undo.add(() => undone.push(1));
    return await Promise.resolve('made');
  });
  expect(made).toBe('made');
  expect(undone).toEqual([]);
});

test("setUp() undoes what came before the step that failed, the last first, and throws that step's error", async () => {
  const undone: number[] = [];
  await expect(
    setUp(async (undo) => {
      undo.add(() => undone.push(1));
      undo.add(async () => {
        await Promise.resolve();
        undone.push(2);
      });
      await Promise.reject(new Error('its bytes are not there'));
      undo.add(() => undone.push(3));
    }),
  ).rejects.toThrow('its bytes are not there');
  expect(undone).toEqual([2, 1]);
});

test('setUp() tries every step, and tells both errors where undoing fails too', async () => {
  const undone: number[] = [];
  await expect(
    setUp(async (undo) => {
      undo.add(() => undone.push(1));
      undo.add(() => {
        throw new Error('busy');
      });
      await Promise.reject(new Error('first'));
    }),
  ).rejects.toThrow(/first.*busy/);
  expect(undone).toEqual([1]);
});

test('Undo undoes once when it is disposed of twice', async () => {
  const undone: number[] = [];
  const undo = new Undo();
  undo.add(() => undone.push(1));
  await undo[Symbol.asyncDispose]();
  await undo[Symbol.asyncDispose]();
  expect(undone).toEqual([1]);
});
