import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { SILENT } from '../../../src/base/logger.js';
import { Secret } from '../../../src/base/secret.js';
import { VolumeError } from '../../../src/base/volume-error.js';
import { printable, type Command, type CommandResult, type CommandRunner } from '../../../src/host/command.js';
import { VirshLibvirt } from '../../../src/libvirt/virsh/virsh-libvirt.js';

const URI = 'qemu+ssh://root@host/system';
const signal = new AbortController().signal;
const UUID = '11111111-2222-4333-8444-555555555555';
const OTHER = '99999999-2222-4333-8444-555555555555';
/** As virsh 9.0.0 prints it. */
const DOMINFO =
  `Id:             3\nName:           guest\nUUID:           ${UUID}\nOS Type:        hvm\nState:    ` +
  `      running\nCPU(s):         1\nPersistent:     no\nAutostart: ` +
  `     disable\nSecurity DOI:   \n\n`;

class ScriptedRunner implements CommandRunner {
  readonly ran: Command[] = [];
  readonly #answer: (words: string) => Partial<CommandResult>;

  constructor(answer: (words: string) => Partial<CommandResult>) {
    this.#answer = answer;
  }

  async run(command: Command): Promise<CommandResult> {
    this.ran.push(command);
    return { exitCode: 0, stdout: '', stderr: '', ...this.#answer(printable(command)) };
  }
}

const withAnswers = (
  answer: (words: string) => Partial<CommandResult>,
): { readonly runner: ScriptedRunner; readonly libvirt: VirshLibvirt } => {
  const runner = new ScriptedRunner(answer);
  return { runner, libvirt: new VirshLibvirt({ uri: URI, runner, logger: SILENT }) };
};

describe('VirshLibvirt', () => {
  test('VirshLibvirt.lookupDomain() reads dominfo', async () => {
    const { runner, libvirt } = withAnswers(() => ({ stdout: DOMINFO }));
    await expect(libvirt.lookupDomain({ kind: 'name', name: 'guest' }, signal)).resolves.toEqual({
      name: 'guest',
      uuid: UUID,
      active: true,
      persistent: false,
    });
    expect(runner.ran.map(printable)).toEqual([`virsh --connect ${URI} dominfo --domain guest`]);
  });

  test('VirshLibvirt.lookupDomain() takes a name of digits for a name', async () => {
    const { runner, libvirt } = withAnswers((words) =>
      words.includes(' list ') ? { stdout: `${OTHER} 33\n${UUID} 3\n\n` } : { stdout: '<domain/>' },
    );
    await libvirt.domainXml({ kind: 'name', name: '3' }, 'config', signal);
    expect(runner.ran.map(printable).at(-1)).toBe(`virsh --connect ${URI} dumpxml --domain ${UUID} --inactive`);
    await expect(libvirt.domainXml({ kind: 'name', name: '4' }, 'live', signal)).rejects.toMatchObject({
      code: 'DOMAIN_NOT_FOUND',
    });
  });

  test('VirshLibvirt.listDomains() takes names as they are', async () => {
    const { runner, libvirt } = withAnswers(() => ({ stdout: `${UUID} guest\n${OTHER} a guest \n\n` }));
    await expect(libvirt.listDomains(signal)).resolves.toEqual([
      { name: 'guest', uuid: UUID },
      { name: 'a guest ', uuid: OTHER },
    ]);
    expect(runner.ran.map(printable)).toEqual([`virsh --connect ${URI} list --all --uuid --name`]);
  });

  test('VirshLibvirt.attachDevice() gives the XML as input, never as shell or argument', async () => {
    const { runner, libvirt } = withAnswers(() => ({}));
    const xml = '<disk>$(touch /tmp/x) `id`</disk>';
    await libvirt.attachDevice({ kind: 'uuid', uuid: UUID }, xml, { live: true, config: true }, signal);
    const [command] = runner.ran;
    expect(command?.input).toBe(xml);
    expect(command?.args.slice(2)).toEqual([
      'virsh',
      '--connect',
      URI,
      'attach-device',
      '--domain',
      UUID,
      '--file',
      '/proc/self/fd/0',
      '--live',
      '--config',
    ]);
    expect(command?.args.join(' ')).not.toContain('touch');
  });

  test('VirshLibvirt.blockCopy() gives the XML as input and starts a job that persistent guests allow', async () => {
    const { runner, libvirt } = withAnswers(() => ({}));
    await libvirt.blockCopy({ kind: 'uuid', uuid: UUID }, 'vdb', '<disk/>', signal);
    const [command] = runner.ran;
    expect(command?.input).toBe('<disk/>');
    expect(command?.args.slice(5)).toEqual([
      'blockcopy',
      '--domain',
      UUID,
      '--path',
      'vdb',
      '--xml',
      '/proc/self/fd/0',
      '--reuse-external',
      '--transient-job',
    ]);
  });

  test.each([
    [true, '--pivot'],
    [false, '--abort'],
  ])('VirshLibvirt.blockJobAbort() with pivot %p is %s', async (pivot, word) => {
    const { runner, libvirt } = withAnswers(() => ({}));
    await libvirt.blockJobAbort({ kind: 'uuid', uuid: UUID }, 'vdb', { pivot }, signal);
    expect(runner.ran.map(printable)).toEqual([`virsh --connect ${URI} blockjob --domain ${UUID} --path vdb ${word}`]);
  });

  test.each([
    [
      ' type=Block Copy\n bandwidth=0\n cur=1048576\n end=5000000000\n\n',
      { kind: 'copy', copiedBytes: 1_048_576, totalBytes: 5_000_000_000 },
    ],
    [' type=Active Block Commit\n bandwidth=0\n cur=1\n end=2\n', { kind: 'other', copiedBytes: 1, totalBytes: 2 }],
    ['\n', undefined],
  ])('VirshLibvirt.blockJob() reads %j', async (stdout, job) => {
    const { libvirt } = withAnswers(() => ({ stdout }));
    await expect(libvirt.blockJob({ kind: 'uuid', uuid: UUID }, 'vdb', signal)).resolves.toEqual(job);
  });

  test('VirshLibvirt.blockJob() refuses unknown words', async () => {
    const { libvirt } = withAnswers(() => ({ stdout: 'Block Copy: [50 %]\n' }));
    await expect(libvirt.blockJob({ kind: 'uuid', uuid: UUID }, 'vdb', signal)).rejects.toThrow(SyntaxError);
  });

  test('VirshLibvirt.defineSecret() shows the value nowhere, and undoes a secret without a value', async () => {
    const { runner, libvirt } = withAnswers((words) => {
      if (words.includes('secret-define')) return { stdout: `Secret ${UUID} created\n\n` };
      return words.includes('secret-set-value')
        ? { exitCode: 1, stderr: 'error: Failed to set secret value\nerror: disk full\n' }
        : {};
    });
    const error: unknown = await libvirt
      .defineSecret({ type: 'volume', id: 'vol' }, new Secret('hush'), signal)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'LIBVIRT_REFUSED',
      message: `Cannot give secret ${UUID} its value: Failed to set secret value: disk full`,
    });
    const shown = inspect(error) + runner.ran.map(printable).join();
    expect(shown).not.toContain('hush');
    expect(shown).not.toContain('aHVzaA');
    expect(runner.ran.map(printable).at(-1)).toContain(`secret-undefine --secret ${UUID}`);
  });

  test('VirshLibvirt.findSecret() matches only the whole usage', async () => {
    const table =
      ` UUID                                   Usage\n-----------\n ${OTHER}   volume vol two\n ` +
      `${UUID}   volume vol\n ${OTHER}   ceph client\n`;
    const { libvirt } = withAnswers(() => ({ stdout: table }));
    await expect(libvirt.findSecret({ type: 'volume', id: 'vol' }, signal)).resolves.toBe(UUID);
    await expect(libvirt.findSecret({ type: 'volume', id: 'client' }, signal)).resolves.toBeUndefined();
  });

  test.each([
    ["error: failed to get domain 'nope'\n", 'DOMAIN_NOT_FOUND'],
    [
      "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/run/libvirt/libvirt-sock': " +
        'No such file or directory\n',
      'LIBVIRT_UNAVAILABLE',
    ],
    [
      "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/run/libvirt/libvirt-sock': " +
        'Permission denied\n',
      'PERMISSION_DENIED',
    ],
    [
      'error: failed to connect to the hypervisor\nerror: authentication unavailable: no polkit agent available to ' +
        "authenticate action 'org.libvirt.unix.manage'\n",
      'PERMISSION_DENIED',
    ],
    [
      'error: Disconnected from qemu:///system due to end of file\nerror: End of file while reading data: ' +
        'Input/output error\n',
      'LIBVIRT_UNAVAILABLE',
    ],
    [
      'error: Failed to attach device from /dev/stdin\nerror: Requested operation is ' +
        'not valid: target sdb already exists\n',
      'LIBVIRT_REFUSED',
    ],
    [
      'error: Failed to attach device from /dev/stdin\nerror: cannot open /dev/sdz: Permission denied\n',
      'LIBVIRT_REFUSED',
    ],
    ['', 'LIBVIRT_REFUSED'],
  ])("VirshLibvirt reads virsh's words %p as %s", async (stderr, code) => {
    const { libvirt } = withAnswers(() => ({ exitCode: 1, stderr }));
    await expect(libvirt.lookupDomain({ kind: 'name', name: 'guest' }, signal)).rejects.toMatchObject({ code });
  });

  test('VirshLibvirt is COMMAND_NOT_FOUND where the shell finds no virsh', async () => {
    const { libvirt } = withAnswers(() => ({ exitCode: 127, stderr: 'virsh: exec: virsh: not found\n' }));
    await expect(
      libvirt.detachDevice({ kind: 'uuid', uuid: UUID }, '<disk/>', { live: true, config: false }, signal),
    ).rejects.toMatchObject({ code: 'COMMAND_NOT_FOUND' });
  });

  test('VirshLibvirt is LIBVIRT_UNAVAILABLE when virsh takes too long', async () => {
    const { libvirt } = withAnswers(() => {
      throw new VolumeError('COMMAND_TIMED_OUT', 'late');
    });
    await expect(libvirt.lookupDomain({ kind: 'uuid', uuid: UUID }, signal)).rejects.toMatchObject({
      code: 'LIBVIRT_UNAVAILABLE',
    });
  });
});
