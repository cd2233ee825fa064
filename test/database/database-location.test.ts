import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { locationIn, rootIn } from '../../src/database/database-location.js';
import { absentRecordText, programText, RELEASES } from '../fakes/fake-release.js';

const LOCK_FOLDER = '/run/lock/iscsi';
const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
/** Constants as a compiler lays them out: each between two zero bytes. */
const constants = (...texts: readonly string[]): Uint8Array => bytes(`\0${texts.join('\0')}\0`);
const built = (root: string, lockFolder = LOCK_FOLDER): readonly string[] => [
  `${root}/nodes`,
  `${root}/ifaces`,
  `${root}/send_targets`,
  `${lockFolder}/lock`,
  `${lockFolder}/lock.write`,
];

describe('locationIn()', () => {
  test.each(RELEASES)('locationIn() reads root and lock folder from the program of open-iscsi $version', (release) => {
    expect(locationIn(bytes(programText(release)))).toEqual({ root: release.root, lockFolder: LOCK_FOLDER });
  });

  test.each<[string, readonly string[], string]>([
    ['a root of its own', built('/srv/iscsi db'), '/srv/iscsi db'],
    ['a root that was given with a slash at its end', built('/etc/iscsi/'), '/etc/iscsi'],
    [
      'the start of another path among other constants',
      [...built('/var/lib/iscsi'), '/etc/iscsi/nodesx', 'i/nodes', '/var/lib/iscsi/nISCSIADM'],
      '/var/lib/iscsi',
    ],
    ['formats that end alike', [...built('/var/lib/iscsi'), '%s/nodes', '/sys/%s/ifaces'], '/var/lib/iscsi'],
  ])('locationIn() accepts %s', (_what, texts, root) => {
    expect(locationIn(constants(...texts))?.root).toBe(root);
  });

  test("locationIn() reads the program's own lock folder, and defaults where it names none or two", () => {
    expect(locationIn(constants(...built('/etc/iscsi', '/var/lock/iscsi')))?.lockFolder).toBe('/var/lock/iscsi');
    expect(locationIn(constants('/e/nodes', '/e/ifaces', '/e/send_targets'))?.lockFolder).toBe(LOCK_FOLDER);
    expect(locationIn(constants(...built('/etc/iscsi'), '/run/lock/other/lock.write'))?.lockFolder).toBe(LOCK_FOLDER);
  });

  test.each<[string, Uint8Array]>([
    [
      'a wrapper script',
      bytes('#!/bin/sh\n# keeps its records in /etc/iscsi/nodes\nexec chroot /host /usr/sbin/iscsiadm "$@"\n'),
    ],
    ['two roots', constants(...built('/etc/iscsi'), ...built('/var/lib/iscsi'))],
    [
      'records in one root and ifaces in another',
      constants('/etc/iscsi/nodes', '/var/lib/iscsi/ifaces', '/etc/iscsi/send_targets'),
    ],
    ['no folder of discovery records', constants('/etc/iscsi/nodes', '/etc/iscsi/ifaces')],
    ['a relative root', constants('iscsi/nodes', 'iscsi/ifaces', 'iscsi/send_targets')],
    ['a root with ".."', constants(...built('/etc/../iscsi'))],
    ['nothing', bytes('')],
    ['another program', readFileSync(process.execPath).subarray(0, 1_000_000)],
  ])('locationIn() finds none in %s', (_what, program) => {
    expect(locationIn(program)).toBeUndefined();
  });
});

describe('rootIn()', () => {
  const RECORD = 'libvirt-volume.none,3260';

  test.each(RELEASES)('rootIn() reads where iscsiadm $version looks for a record', (release) => {
    expect(rootIn(absentRecordText(release), RECORD)).toBe(release.root);
  });

  test.each([
    ['another record', 'iscsiadm: Looking for config file /etc/iscsi/send_targets/192.0.2.1,3260\n'],
    [
      'two roots',
      `iscsiadm: Looking for config file /a/send_targets/${RECORD}\niscsiadm: Could not open ` +
        `/b/send_targets/${RECORD}: No such file or directory\n`,
    ],
    ['no path', 'iscsiadm: No records found\n'],
    ['a relative path', `iscsiadm: Could not open send_targets/${RECORD}: No such file or directory\n`],
  ])('rootIn() finds none in an answer with %s', (_what, answer) => {
    expect(rootIn(answer, RECORD)).toBeUndefined();
  });
});
