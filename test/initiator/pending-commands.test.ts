import { expect, test } from '@jest/globals';
import { parseTargetName } from '../../src/connection/target-name.js';
import { whenNoneIsPending } from '../../src/initiator/pending-commands.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { FakeHost } from '../fakes/fake-host.js';

const TARGET = parseTargetName('iqn.2026-11.org.example:one');

test.each([
  ['another program that names the target', ['grep', TARGET], true],
  ['iscsiadm at another target', ['iscsiadm', '-m', 'node', '-T', `${TARGET}-b`, '--login'], true],
  ['iscsiadm at the target', ['iscsiadm', '-m', 'node', '-T', TARGET, '--login'], false],
  ['the same below a root_helper', ['sudo', '-n', '/usr/sbin/iscsiadm', '-m', 'node', '-T', TARGET, '--login'], false],
])('whenNoneIsPending() with %s', async (_what, words, expected) => {
  const clock = new FakeClock();
  const host = new FakeHost({ clock });
  host.tree.write('/proc/77/cmdline', `${words.join('\0')}\0`);
  const limits = { files: host, clock, timeoutMs: 1_000 };
  expect(await whenNoneIsPending([TARGET], limits, new AbortController().signal)).toBe(expected);
});
