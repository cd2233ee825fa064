import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { SILENT } from '../../../src/base/logger.js';
import type { CommandRunner } from '../../../src/host/command.js';
import { ExecaCommandRunner } from '../../../src/host/node/execa-command-runner.js';
import { RootHelperFileSystem } from '../../../src/host/node/root-helper-file-system.js';
import { temporaryFolder } from '../compiled-host.js';
import { knowCoreErrors } from '../core-errors.js';
import { fileSystemContract } from '../file-system-contract.js';
import { type ForbiddenFolder, forbiddenFolder } from '../forbidden-folder.js';
import { heldOpen } from '../open-files.js';

knowCoreErrors();
const SIGNAL = new AbortController().signal;
const LOOKS = ['readText', 'readBytes', 'list', 'realPath', 'kind'] as const;

const through = (...rootHelper: readonly string[]): CommandRunner =>
  new ExecaCommandRunner({ logger: SILENT, rootHelper });
const files = new RootHelperFileSystem({ commands: through('env') });
/** sudo without a terminal and without a rule for this user. */
const refused = new RootHelperFileSystem({
  commands: through('sh', '-c', 'echo "sudo: a password is required" >&2; exit 1'),
});

fileSystemContract('RootHelperFileSystem', files);

describe('where this user may not look, the helper looks', () => {
  /** A helper that may look into the folder, and what it was asked to run. */
  function helpedInto(folder: ForbiddenFolder): { readonly helped: RootHelperFileSystem; readonly programs: string[] } {
    const programs: string[] = [];
    const runner = through('env');
    const run: CommandRunner['run'] = async (command, signal) => {
      programs.push(command.program);
      return await folder.withRights(() => runner.run(command, signal));
    };
    return { helped: new RootHelperFileSystem({ commands: { run } }), programs };
  }

  test('readText() through the helper gives the text without its last newline', async () => {
    using folder = forbiddenFolder();
    writeFileSync(`${folder.path}/a`, 'one\ntwo\n\n');
    folder.close();
    const { helped, programs } = helpedInto(folder);
    expect([await helped.readText(`${folder.path}/a`), programs]).toEqual(['one\ntwo\n', ['cat']]);
  });
  test('readBytes() through the helper gives bytes that are no text', async () => {
    using folder = forbiddenFolder();
    const bytes = Uint8Array.from({ length: 256 }, (_unused, index) => index);
    writeFileSync(`${folder.path}/a`, bytes);
    folder.close();
    expect(Uint8Array.from((await helpedInto(folder).helped.readBytes(`${folder.path}/a`)) ?? [])).toEqual(bytes);
  });
  test('list() through the helper is sorted, and has hidden files', async () => {
    using folder = forbiddenFolder();
    mkdirSync(`${folder.path}/names`);
    for (const name of ['b', 'a', '10', '9', '.hidden', 'a b']) writeFileSync(`${folder.path}/names/${name}`, '');
    folder.close();
    expect(await helpedInto(folder).helped.list(`${folder.path}/names`)).toEqual([
      '.hidden',
      '10',
      '9',
      'a',
      'a b',
      'b',
    ]);
  });
  test('realPath() through the helper follows links', async () => {
    using folder = forbiddenFolder();
    mkdirSync(`${folder.path}/real`);
    symlinkSync('real', `${folder.path}/link`);
    folder.close();
    expect(await helpedInto(folder).helped.realPath(`${folder.path}/link`)).toMatch(/\/real$/);
  });
  test('kind() through the helper looks through links', async () => {
    using folder = forbiddenFolder();
    for (const [name, text] of [
      ['empty', ''],
      ['full', 'text'],
    ] as const)
      writeFileSync(`${folder.path}/${name}`, text);
    mkdirSync(`${folder.path}/directory`);
    symlinkSync('/dev/null', `${folder.path}/null`);
    folder.close();
    const { helped } = helpedInto(folder);
    const kinds: unknown[] = [];
    for (const name of ['empty', 'full', 'directory', 'null']) kinds.push(await helped.kind(`${folder.path}/${name}`));
    expect(kinds).toEqual(['file', 'file', 'directory', 'other']);
  });
  test.each(LOOKS)('%s() through the helper answers for what is absent', async (method) => {
    using folder = forbiddenFolder();
    folder.close();
    expect(await helpedInto(folder).helped[method](`${folder.path}/absent`)).toEqual(
      method === 'list' ? [] : undefined,
    );
  });
});

describe('a helper that fails', () => {
  test.each(LOOKS)('%s() with a failing helper is an error, not "absent"', async (method) => {
    using folder = forbiddenFolder();
    folder.close();
    const commands: CommandRunner = {
      run: (command, signal) =>
        folder.withRights(() =>
          through('sh', '-c', 'echo "sudo: a password is required" >&2; exit 1').run(command, signal),
        ),
    };
    await expect(new RootHelperFileSystem({ commands })[method](`${folder.path}/a`)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: `Cannot use ${folder.path}/a through root_helper`,
      cause: expect.objectContaining({ message: 'sudo: a password is required' }) as unknown,
    });
  });
  test.each<[string, (folder: string) => Promise<unknown>]>([
    ['makeDirectory', (folder) => refused.makeDirectory(`${folder}/made`, 0o700)],
    ['replace', (folder) => refused.replace(`${folder}/a`, 'new', 0o600, `${folder}/a.new`)],
    ['link', (folder) => refused.link(`${folder}/a`, `${folder}/b`)],
    ['remove', (folder) => refused.remove(`${folder}/a`)],
    ['writeAttribute', (folder) => refused.writeAttribute(`${folder}/a`, '1', SIGNAL)],
    ['syncDevice', (folder) => refused.syncDevice(`${folder}/a`, SIGNAL)],
  ])('%s() with a failing helper is an error, and changes nothing', async (_method, deed) => {
    using folder = temporaryFolder();
    writeFileSync(`${folder.path}/a`, 'old');
    await expect(deed(folder.path)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      hint: expect.stringContaining('root_helper') as unknown,
    });
    expect([readdirSync(folder.path), readFileSync(`${folder.path}/a`, 'utf8')]).toEqual([['a'], 'old']);
  });
  test('usersOf() with a failing helper is an error, and never "nobody"', async () => {
    await expect(refused.usersOf('/dev/sda', ['8:0'], SIGNAL)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  });
  test('readText() without an installed helper is COMMAND_NOT_FOUND', async () => {
    using folder = temporaryFolder();
    const absent = new RootHelperFileSystem({ commands: through(`${folder.path}/helper`) });
    await expect(absent.usersOf('/dev/sda', ['8:0'], SIGNAL)).rejects.toMatchObject({ code: 'COMMAND_NOT_FOUND' });
  });
});

test('writeAttribute() writes the text, without a newline of its own', async () => {
  using folder = temporaryFolder();
  writeFileSync(`${folder.path}/scan`, '');
  await files.writeAttribute(`${folder.path}/scan`, '0 0 1', SIGNAL);
  expect(readFileSync(`${folder.path}/scan`, 'utf8')).toBe('0 0 1');
});
test('writeAttribute() ends with ABORTED when the signal aborts', async () => {
  const slow = new RootHelperFileSystem({ commands: through('sh', '-c', 'exec sleep 20') });
  await expect(
    slow.writeAttribute('/sys/class/scsi_host/host0/scan', '0 0 1', AbortSignal.timeout(50)),
  ).rejects.toMatchObject({ code: 'ABORTED' });
});
test('syncDevice() writes a file out', async () => {
  using folder = temporaryFolder();
  writeFileSync(`${folder.path}/disk`, 'data');
  await expect(files.syncDevice(`${folder.path}/disk`, SIGNAL)).resolves.toBeUndefined();
});
test('syncDevice() of a device that is not there rejects, as nothing was written out', async () => {
  using folder = temporaryFolder();
  await expect(files.syncDevice(`${folder.path}/disk`, SIGNAL)).rejects.toMatchObject({
    message: expect.stringContaining(`${folder.path}/disk`) as unknown,
  });
});

describe('usersOf()', () => {
  const NO_DISK = ['65535:0'];

  test('usersOf() finds the process that has the disk open', async () => {
    using folder = temporaryFolder();
    writeFileSync(`${folder.path}/sda`, '');
    await using user = await heldOpen(`${folder.path}/sda`);
    expect(await files.usersOf(`${folder.path}/sda`, NO_DISK, SIGNAL)).toEqual([{ pid: user.pid, name: 'sh' }]);
  });
  test('usersOf() finds the process that has a partition open', async () => {
    using folder = temporaryFolder();
    writeFileSync(`${folder.path}/sda12`, '');
    await using user = await heldOpen(`${folder.path}/sda12`);
    expect(await files.usersOf(`${folder.path}/sda`, NO_DISK, SIGNAL)).toEqual([{ pid: user.pid, name: 'sh' }]);
  });
  test('usersOf() distinguishes sdaa from sda', async () => {
    using folder = temporaryFolder();
    writeFileSync(`${folder.path}/sdaa`, '');
    await using user = await heldOpen(`${folder.path}/sdaa`);
    expect([
      await files.usersOf(`${folder.path}/sda`, NO_DISK, SIGNAL),
      await files.usersOf(`${folder.path}/sdaa`, NO_DISK, SIGNAL),
    ]).toEqual([[], [{ pid: user.pid, name: 'sh' }]]);
  });
  test('usersOf() finds nobody once the process has ended', async () => {
    using folder = temporaryFolder();
    writeFileSync(`${folder.path}/sda`, '');
    const user = await heldOpen(`${folder.path}/sda`);
    await user[Symbol.asyncDispose]();
    expect(await files.usersOf(`${folder.path}/sda`, NO_DISK, SIGNAL)).toEqual([]);
  });
  test('usersOf() finds the kernel where something is mounted from the device', async () => {
    const [, , number = ''] = (readFileSync('/proc/self/mountinfo', 'utf8').split('\n')[0] ?? '').split(' ');
    expect(await files.usersOf('/dev/no-such-disk', [number], SIGNAL)).toEqual([expect.objectContaining({ pid: 0 })]);
  });
});
