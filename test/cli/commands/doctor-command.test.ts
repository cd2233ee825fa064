import { expect, test } from '@jest/globals';
import { finding } from '../../../src/doctor/finding.js';
import { cli } from '../cli-fixture.js';

const ERROR = finding('ISCSID_NOT_RUNNING', 'iscsid does not run', 'systemctl start iscsid.socket');
const WARNING = finding(
  'REPLIES_DROPPED',
  'eth1 shares a network with eth0',
  'sysctl -w net/ipv4/conf/eth1/rp_filter=2',
);
const OK = finding('LIBVIRT_ANSWERS', 'libvirt answers at qemu:///system');

test('doctor prints aligned columns, each command on a line of its own, and a summary', async () => {
  expect(await cli({ findings: () => [ERROR, WARNING, OK] })(['doctor'])).toEqual({
    status: 1,
    stderr: '',
    stdout: [
      'error    ISCSID_NOT_RUNNING  iscsid does not run',
      '                             systemctl start iscsid.socket',
      'warning  REPLIES_DROPPED     eth1 shares a network with eth0',
      '                             sysctl -w net/ipv4/conf/eth1/rp_filter=2',
      'ok       LIBVIRT_ANSWERS     libvirt answers at qemu:///system',
      '',
      'An attach would not work. 1 error, 1 warning.',
      '',
    ].join('\n'),
  });
});

test.each([
  ['nothing but what is well', [OK], 0, true, 'All is well: an attach would work.'],
  ['warnings alone', [WARNING, WARNING, OK], 0, true, 'An attach would work. 2 warnings.'],
  ['an error', [ERROR, ERROR], 1, false, 'An attach would not work. 2 errors.'],
])('doctor of %s ends with its exit status', async (_what, findings, status, healthy, summary) => {
  const command = cli({ findings: () => findings });
  const forPeople = await command(['doctor']);
  expect(forPeople.status).toBe(status);
  expect(forPeople.stdout.trimEnd().split('\n').at(-1)).toBe(summary);
  const forPrograms = await command(['doctor', '--json']);
  expect(forPrograms).toMatchObject({ status, stderr: '', stdout: expect.stringMatching(/^[^\n]+\n$/) as unknown });
  expect(JSON.parse(forPrograms.stdout)).toEqual({
    healthy,
    findings: findings.map((one) => ({ ...one, hint: one.hint ?? null })),
  });
});

test('doctor reports the source of its options', async () => {
  const command = cli({ findings: (origin) => [finding('CONFIG_READ', origin)] });
  expect((await command(['doctor'])).stdout).toContain('the built-in defaults');
  expect((await command(['doctor', '--config', 'config/libvirt-volume.toml'])).stdout).toContain(
    'config/libvirt-volume.toml',
  );
});

test('doctor with an unusable config file prints an error and no findings', async () => {
  const { status, stdout } = await cli()(['doctor', '--json', '--config', '/nonexistent.toml']);
  expect(status).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'CONFIG_INVALID' } });
});
