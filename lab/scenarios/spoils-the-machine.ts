// spoils: the machine
// takes: 5 s
import assert from 'node:assert/strict';
import { tryRun } from '../machine/commands.js';
import { test } from '../machine/scenario.js';
import { stopIscsid } from '../machine/services.js';

/** Leaves a machine without iscsid behind: the lab must see that, and run what comes next in a machine booted anew. */
test('iscsid is stopped, and nobody starts it again', async () => {
  await stopIscsid();
  assert.notEqual((await tryRun('pidof', ['iscsid'])).code, 0);
});
