import assert from 'node:assert/strict';
import { compareResidue, readResidue, type Residue } from './residue.js';
import { waitFor } from './wait-for.js';

/**
 * Lock files, and disks, go a moment after the command that held them.
 * @throws {AssertionError} that lists what is there still, or is gone
 */
export async function requireNothingLeft(since: Residue): Promise<void> {
  let changes: readonly string[] = ['not looked yet'];
  await waitFor(
    'nothing to be left',
    async () => {
      changes = compareResidue(since, await readResidue());
      return changes.length === 0;
    },
    3_000,
  ).catch(() => {
    assert.deepEqual(changes, []);
  });
}
