import { expect, test } from '@jest/globals';
import { rootIn } from '../../lab/machine/database-root.js';

const program = (...strings: readonly string[]): Buffer => Buffer.from(`\x7fELF\0${strings.join('\0')}\0`, 'latin1');

test.each([
  [['/etc/iscsi/nodes', '/etc/iscsi/iscsid.conf'], '/etc/iscsi'],
  [['/var/lib/iscsi/nodes', '/etc/iscsi/iscsid.conf'], '/var/lib/iscsi'],
])('rootIn() of a program with the paths %j', (strings, root) => {
  expect(rootIn(program(...strings))).toBe(root);
});

test.each([[[]], [['/etc/iscsi/nodes', '/var/lib/iscsi/nodes']], [['/etc/iscsi/nodesx']]])(
  'rootIn() refuses a program with the paths %j',
  (strings) => {
    expect(() => rootIn(program(...strings))).toThrow('Cannot find the root');
  },
);
