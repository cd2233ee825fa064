import { expect, test } from '@jest/globals';
import { Secret } from '../../src/base/secret.js';
import { parsePortal } from '../../src/connection/portal.js';
import { parseTargetName } from '../../src/connection/target-name.js';
import type { Command } from '../../src/host/command.js';
import { DEFAULT_IFACE } from '../../src/iface/iface-name.js';
import { parseToolVersion } from '../../src/initiator/iscsiadm-exit.js';
import type { SessionId } from '../../src/initiator/session.js';
import { captured, CAPTURED_RELEASE } from './captured.js';

import * as commands from '../../src/initiator/iscsiadm-commands.js';

const KEY = {
  target: parseTargetName('iqn.2026-11.org.example:one'),
  portal: parsePortal('10.99.1.1:3260'),
  iface: DEFAULT_IFACE,
};

/** Each of them once: a command that is added has to be added here. */
const BUILT: Readonly<Record<keyof typeof commands, Command>> = {
  loginCommand: commands.loginCommand(KEY, 1000),
  loginTargetCommand: commands.loginTargetCommand(KEY, 1000),
  logoutCommand: commands.logoutCommand(KEY, 1000),
  logoutTargetCommand: commands.logoutTargetCommand(KEY, 1000),
  logoutSessionCommand: commands.logoutSessionCommand(7 as SessionId, 1000),
  logoutPortalCommand: commands.logoutPortalCommand(KEY, 1000),
  setPasswordCommand: commands.setPasswordCommand(KEY, new Secret('hush'), 1000),
  discoverCommand: commands.discoverCommand(
    { name: 'libvirt-volume.default.10.99.1.1', port: 3260 },
    DEFAULT_IFACE,
    1000,
  ),
  askForRecordCommand: commands.askForRecordCommand({ name: 'libvirt-volume.none', port: 3260 }, 1000),
  versionCommand: commands.versionCommand(1000),
  listIfacesCommand: commands.listIfacesCommand(1000),
};

test('iscsiadm commands that act on a record carry -I; others name none or cannot name it', () => {
  const without = Object.values(BUILT)
    .filter(({ args }) => !args.includes('-I'))
    .map(({ args }) => args.join(' '));
  expect(without).toEqual([
    '-m session -r 7 --logout',
    '-m node -T iqn.2026-11.org.example:one -p 10.99.1.1:3260 --logout',
    '--version',
    '-m iface',
  ]);
});

test.each(Object.entries(BUILT))('iscsiadm command %s is never killed', (_name, { program, patience }) => {
  expect({ program, patience }).toEqual({ program: 'iscsiadm', patience: { kind: 'wait', ms: 1000 } });
});

test('parseToolVersion() reads what the tools print of themselves', () => {
  expect(parseToolVersion(captured('version.txt'))).toBe(CAPTURED_RELEASE);
  expect(parseToolVersion(captured('host/iscsid-version.txt'))).toBe(CAPTURED_RELEASE);
  expect(parseToolVersion('iscsiadm: unrecognized option')).toBeUndefined();
});
