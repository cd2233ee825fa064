import { execFile, execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { NodeFileSystem } from '../../../src/host/node/node-file-system.js';
import { compileHost, temporaryFolder } from '../compiled-host.js';
import { knowCoreErrors } from '../core-errors.js';
import { fileSystemContract } from '../file-system-contract.js';
import { forbiddenFolder } from '../forbidden-folder.js';
import { heldOpen } from '../open-files.js';

knowCoreErrors();
const run = promisify(execFile);
const SIGNAL = new AbortController().signal;

fileSystemContract('NodeFileSystem', new NodeFileSystem());

test('replace() does not follow a link in place of its temporary file', async () => {
  using folder = temporaryFolder();
  writeFileSync(`${folder.path}/other`, 'other');
  symlinkSync('other', `${folder.path}/a.new`);
  await new NodeFileSystem().replace(`${folder.path}/a`, 'new', 0o600, `${folder.path}/a.new`);
  expect(readFileSync(`${folder.path}/other`, 'utf8')).toBe('other');
});

/** net/core/net-sysfs.c: the attribute of a port, which most drivers answer with EOPNOTSUPP. */
const unanswered = readdirSync('/sys/class/net')
  .map((name) => `/sys/class/net/${name}/phys_port_name`)
  .find(hasNoAnswer);
(unanswered === undefined ? test.skip : test)(
  'readText() of an attribute that its driver does not answer is as good as none',
  async () => {
    expect(await new NodeFileSystem().readText(unanswered ?? '')).toBeUndefined();
  },
);

describe('where this user may not look', () => {
  test.each(['readText', 'readBytes', 'list', 'realPath', 'kind', 'remove', 'removeDirectory'] as const)(
    '%s() of a forbidden path rejects with PERMISSION_DENIED, and never says "absent"',
    async (method) => {
      using folder = forbiddenFolder();
      folder.close();
      await expect(new NodeFileSystem()[method](`${folder.path}/a`)).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
        message: `Cannot use ${folder.path}/a: this user may not`,
        hint: expect.stringContaining('root_helper') as unknown,
      });
    },
  );
  test('link() in a forbidden folder rejects with PERMISSION_DENIED', async () => {
    using folder = forbiddenFolder();
    folder.close();
    await expect(new NodeFileSystem().link(`${folder.path}/a`, `${folder.path}/b`)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    });
  });
});

describe('blocking work', () => {
  let compiled: ReturnType<typeof compileHost>;
  let files: NodeFileSystem;
  beforeAll(async () => {
    compiled = compileHost();
    const host = (await import(`${compiled.folder}/host/node/node-file-system.js`)) as {
      readonly NodeFileSystem: typeof NodeFileSystem;
    };
    files = new host.NodeFileSystem();
  });
  afterAll(() => {
    compiled.remove();
  });

  /** Reads from a named pipe, so that whoever waits to write into it goes on. */
  const readFrom = async (pipe: string): Promise<string> => (await run('cat', [pipe])).stdout;

  test('writeAttribute() writes the text', async () => {
    using folder = temporaryFolder();
    writeFileSync(`${folder.path}/scan`, '');
    await files.writeAttribute(`${folder.path}/scan`, '0 0 1', SIGNAL);
    expect(readFileSync(`${folder.path}/scan`, 'utf8')).toBe('0 0 1');
  });
  test('writeAttribute() makes no file, and names the one that is not there', async () => {
    using folder = temporaryFolder();
    await expect(files.writeAttribute(`${folder.path}/scan`, '1', SIGNAL)).rejects.toThrow(`${folder.path}/scan`);
    expect(existsSync(`${folder.path}/scan`)).toBe(false);
  });
  test('writeAttribute() where nobody may write rejects with PERMISSION_DENIED', async () => {
    using folder = forbiddenFolder();
    folder.close();
    await expect(files.writeAttribute(`${folder.path}/scan`, '1', SIGNAL)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    });
  });
  test('writeAttribute() that blocks rejects with ABORTED on the signal, and its write is left to end', async () => {
    using folder = temporaryFolder();
    execFileSync('mkfifo', [`${folder.path}/sick`]);
    await expect(files.writeAttribute(`${folder.path}/sick`, 'late', AbortSignal.timeout(50))).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect(files.hasStuckWrite(`${folder.path}/sick`)).toBe(true);
    expect(await readFrom(`${folder.path}/sick`)).toBe('late');
    while (files.hasStuckWrite(`${folder.path}/sick`)) await new Promise((resolve) => setTimeout(resolve, 1));
  });
  test('hasStuckWrite() is false while somebody waits for a write', async () => {
    using folder = temporaryFolder();
    execFileSync('mkfifo', [`${folder.path}/sick`]);
    const write = files.writeAttribute(`${folder.path}/sick`, 'slow', SIGNAL);
    expect(files.hasStuckWrite(`${folder.path}/sick`)).toBe(false);
    expect(await readFrom(`${folder.path}/sick`)).toBe('slow');
    await write;
  });
  test('writeAttribute() that blocks, many times, holds up no other file work', async () => {
    using folder = temporaryFolder();
    const pipes = Array.from({ length: 8 }, (_unused, index) => `${folder.path}/sick${index}`);
    execFileSync('mkfifo', pipes);
    const writes = pipes.map((pipe) => files.writeAttribute(pipe, pipe, SIGNAL));
    expect(await files.list(folder.path)).toHaveLength(8);
    expect(await Promise.all(pipes.map(readFrom))).toEqual(pipes);
    await Promise.all(writes);
  });
  test('writeAttribute() writes nothing once the signal has aborted', async () => {
    using folder = temporaryFolder();
    writeFileSync(`${folder.path}/scan`, '');
    await expect(files.writeAttribute(`${folder.path}/scan`, '1', AbortSignal.abort())).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect(readFileSync(`${folder.path}/scan`, 'utf8')).toBe('');
  });

  test('syncDevice() writes a file out', async () => {
    using folder = temporaryFolder();
    writeFileSync(`${folder.path}/disk`, 'data');
    await expect(files.syncDevice(`${folder.path}/disk`, SIGNAL)).resolves.toBeUndefined();
  });
  test('syncDevice() of a device that is not there rejects, as nothing was written out', async () => {
    using folder = temporaryFolder();
    await expect(files.syncDevice(`${folder.path}/disk`, SIGNAL)).rejects.toThrow(`${folder.path}/disk`);
  });

  test('usersOf() of a device that nobody has, or that is gone, finds nobody', async () => {
    using folder = temporaryFolder();
    writeFileSync(`${folder.path}/disk`, '');
    expect([
      await files.usersOf(`${folder.path}/disk`, ['8:0'], SIGNAL),
      await files.usersOf(`${folder.path}/gone`, ['8:0'], SIGNAL),
    ]).toEqual([[], []]);
  });
  test('usersOf() takes no character device for a disk of the same number', async () => {
    const file = openSync('/dev/null', 'r'); // 1:3, which /dev/ram3 has as well
    expect(await files.usersOf('/dev/ram3', ['1:3'], SIGNAL)).toEqual([]);
    closeSync(file);
  });
  test('usersOf() where this user may not look rejects with PERMISSION_DENIED, and never finds nobody', async () => {
    using folder = forbiddenFolder();
    folder.close();
    await expect(files.usersOf(`${folder.path}/disk`, ['8:0'], SIGNAL)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    });
  });

  /** A block device of this host that this user may open to read. */
  const disk = readdirSync('/dev')
    .map((name) => `/dev/${name}`)
    .find(mayBeOpened);
  (disk === undefined ? test.skip : test)(
    'usersOf() finds the process that has a block device open, by its number',
    async () => {
      const device = disk ?? '';
      const { rdev } = statSync(device);
      await using user = await heldOpen(device);
      expect(await files.usersOf(device, [`${rdev >> 8}:${rdev & 0xff}`], SIGNAL)).toContainEqual({
        pid: user.pid,
        name: 'sh',
      });
    },
  );
});

function hasNoAnswer(path: string): boolean {
  try {
    readFileSync(path);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOTSUP';
  }
}

function mayBeOpened(path: string): boolean {
  try {
    if (!statSync(path).isBlockDevice() || statSync(path).rdev > 0xffff) return false;
    closeSync(openSync(path, 'r'));
    return true;
  } catch {
    return false; // not for this user, or nothing behind it
  }
}
