import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { shellWords } from '../../src/base/quoted.js';
import { FINDING_SEVERITY } from '../../src/doctor/finding.js';
import { readProcesses } from '../../src/doctor/host-process.js';
import { mapLimited } from '../../src/doctor/map-limited.js';
import { mountOf, parseMounts } from '../../src/doctor/mounts.js';
import { packageCommand } from '../../src/doctor/package-command.js';
import { NodeFileSystem } from '../../src/host/node/node-file-system.js';
import { readPage } from '../docs/read-page.js';
import { knowCoreErrors } from '../host/core-errors.js';
import { captured } from '../initiator/captured.js';

import fc from 'fast-check';

knowCoreErrors();

test('shellWords() is read by a shell as exactly the words', () => {
  expect(shellWords('-T', 'iqn.2026-11.org.example:one', '-p', '[fd00::1]:3260')).toBe(
    "-T iqn.2026-11.org.example:one -p '[fd00::1]:3260'",
  );
  const word = fc.string({ minLength: 1, unit: 'grapheme-ascii' }).filter((text) => !text.includes('\0'));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
      const printed = execFileSync('sh', ['-c', `printf '%s\\0' ${shellWords(...words)}`], { encoding: 'utf8' });
      expect(printed.split('\0').slice(0, -1)).toEqual(words);
    }),
    { numRuns: 30 },
  );
});

describe('mounts', () => {
  const mounts = parseMounts(captured('host/mountinfo'));
  test('parseMounts() reads every line of a real table', () => {
    expect(mounts).toHaveLength(captured('host/mountinfo').trim().split('\n').length);
    expect(mountOf('/dev', mounts)?.type).toBe('devtmpfs');
    expect(mountOf('/dev/pts/0', mounts)?.type).toBe('devpts');
    expect(mountOf('/development', mounts)?.point).toBe('/');
  });

  test.each([
    [
      'an empty source',
      '99 23 0:99 / /mnt rw,relatime - tmpfs  rw,size=1k',
      { point: '/mnt', type: 'tmpfs', readOnly: false },
    ],
    [
      'no optional fields, and a root of its own',
      '99 23 8:1 /sub /mnt ro - ext4 /dev/sda1 rw',
      { point: '/mnt', type: 'ext4', readOnly: true },
    ],
    [
      'many optional fields',
      '99 23 8:1 / /mnt rw shared:1 master:2 propagate_from:3 unbindable new:4 - ext4 /dev/sda1 ro',
      { point: '/mnt', type: 'ext4', readOnly: true },
    ],
    [
      'blanks, tabs and backslashes in octal',
      String.raw`99 23 0:9 / /mnt\040a\011b\012c\134d\043 rw - fuse.s\043 a\040b rw`,
      { point: '/mnt a\tb\nc\\d#', type: 'fuse.s#', readOnly: false },
    ],
    [
      'a hyphen for a source and for a root',
      '99 23 0:9 - /- rw - tmpfs - rw',
      { point: '/-', type: 'tmpfs', readOnly: false },
    ],
    [
      'options with blanks in them',
      '99 23 0:9 / /mnt rw - cifs //s/x rw,username=a b,ro',
      { point: '/mnt', type: 'cifs', readOnly: true },
    ],
    [
      'no options of the file system',
      '99 23 0:9 / /mnt rw - tmpfs tmpfs',
      { point: '/mnt', type: 'tmpfs', readOnly: false },
    ],
  ])('parseMounts() reads a line with %s', (_what, line, mount) => {
    expect(parseMounts(line)).toEqual([mount]);
    expect(parseMounts(`what is this\n${captured('host/mountinfo')}${line}\n99 23\n`)).toEqual([...mounts, mount]);
  });

  test('parseMounts() reads any text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom(' ', ' - ', '\n', '99 23 0:99 / /x rw', '\\040', '\\777'))),
        (parts) => {
          for (const { point, type } of parseMounts(parts.join('')))
            expect([typeof point, type.length > 0]).toEqual(['string', true]);
        },
      ),
    );
  });

  test('mountOf() takes the last of those on one place', () => {
    const [over] = parseMounts('99 23 0:99 / /dev ro,nosuid shared:7 master:2 - tmpfs tmpfs rw\n');
    expect(over).toEqual({ point: '/dev', type: 'tmpfs', readOnly: true });
    expect(mountOf('/dev', [...mounts, ...(over === undefined ? [] : [over])])).toBe(over);
  });
});

test('mapLimited() keeps the order, does all, and never more than sixteen at a time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 60 }), async (turns) => {
      let [now, most] = [0, 0];
      const done = await mapLimited(turns, async (turn) => {
        most = Math.max(most, ++now);
        for (let step = 0; step < turn; step++) await Promise.resolve();
        now--;
        return turn * 2;
      });
      expect(done).toEqual(turns.map((turn) => turn * 2));
      expect(most).toBeLessThanOrEqual(16);
    }),
    { numRuns: 50 },
  );
});

test('readProcesses() finds this very process by its name, and none that it is not asked for', async () => {
  const name = readFileSync('/proc/self/stat', 'utf8').replace(/^\d+ \((.*)\) .*$/s, '$1');
  const processes = await readProcesses(new NodeFileSystem(), [name]);
  expect(processes.map(({ pid }) => pid)).toContain(process.pid);
  expect([...new Set(processes.map((found) => found.name))]).toEqual([name]);
  expect(await readProcesses(new NodeFileSystem(), ['no such name'])).toEqual([]);
});

test.each([
  [captured('host/os-release'), 'apt-get install open-iscsi'],
  ['ID=ubuntu\nID_LIKE=debian\n', 'apt-get install open-iscsi'],
  ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'dnf install iscsi-initiator-utils'],
  ['ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', 'zypper install open-iscsi'],
  ['ID=alpine\n', undefined],
  ['', undefined],
])('packageCommand() of %j', (osRelease, expected) => {
  expect(packageCommand(osRelease, 'install')).toBe(expected);
});

test('docs/doctor.md explains every code in the section of its severity, and no other', () => {
  const sections = readPage('docs/doctor.md').split(/^## /m).slice(1);
  const documented = sections.flatMap((section) => {
    const severity = { 'Errors\n': 'error', 'Warnings\n': 'warning' }[/^.*\n/.exec(section)?.[0] ?? ''];
    return [...section.matchAll(/^### ([A-Z_]+)$/gm)].map(([, code]) => `${severity ?? 'neither'} ${code ?? ''}`);
  });
  const wellAndGood = [
    ...(sections.find((section) => section.startsWith('What is well\n')) ?? '').matchAll(/^\| `([A-Z_]+)` \|/gm),
  ].map(([, code]) => `ok ${code ?? ''}`);
  expect([...documented, ...wellAndGood].sort()).toEqual(
    Object.entries(FINDING_SEVERITY)
      .map(([code, severity]) => `${severity} ${code}`)
      .sort(),
  );
});
