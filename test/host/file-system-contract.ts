import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { FileSystem } from '../../src/host/file-system.js';
import { temporaryFolder } from './compiled-host.js';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

/** What every FileSystem over real files does. */
export function fileSystemContract(name: string, files: FileSystem): void {
  describe(name, () => {
    test('readText() takes the last newline off, and only that', async () => {
      using folder = temporaryFolder();
      writeFileSync(`${folder.path}/a`, ' one\ntwo \n\n');
      expect(await files.readText(`${folder.path}/a`)).toBe(' one\ntwo \n');
    });
    test('readBytes() gives bytes that are no text', async () => {
      using folder = temporaryFolder();
      writeFileSync(`${folder.path}/a`, Uint8Array.of(0, 0x83, 0xff, 0x0a));
      expect([...((await files.readBytes(`${folder.path}/a`)) ?? [])]).toEqual([0, 0x83, 0xff, 0x0a]);
    });
    test('list() is sorted, and has the hidden', async () => {
      using folder = temporaryFolder();
      for (const file of ['b', 'a', '10', '9', '.hidden', 'a b']) writeFileSync(`${folder.path}/${file}`, '');
      expect(await files.list(folder.path)).toEqual(['.hidden', '10', '9', 'a', 'a b', 'b']);
    });
    test('realPath() follows links', async () => {
      using folder = temporaryFolder();
      mkdirSync(`${folder.path}/real`);
      symlinkSync('real', `${folder.path}/one`);
      symlinkSync(`${folder.path}/one`, `${folder.path}/two`);
      expect(await files.realPath(`${folder.path}/two`)).toBe(await files.realPath(`${folder.path}/real`));
    });
    test('kind() looks through links', async () => {
      using folder = temporaryFolder();
      writeFileSync(`${folder.path}/file`, '');
      symlinkSync('file', `${folder.path}/link`);
      expect(await Promise.all(['link', 'file', '.'].map((path) => files.kind(`${folder.path}/${path}`)))).toEqual([
        'file',
        'file',
        'directory',
      ]);
      expect(await files.kind('/dev/null')).toBe('other');
    });

    test('readText() and readBytes() find no text in a folder', async () => {
      using folder = temporaryFolder();
      expect([await files.readText(folder.path), await files.readBytes(folder.path)]).toEqual([undefined, undefined]);
    });
    test.each(['absent', 'file/below', 'dangling'])(
      'readText(), readBytes(), list(), realPath() and kind() answer for what is absent: %s',
      async (path) => {
        using folder = temporaryFolder();
        writeFileSync(`${folder.path}/file`, 'text');
        symlinkSync('nowhere', `${folder.path}/dangling`);
        const absent = `${folder.path}/${path}`;
        expect([
          await files.readText(absent),
          await files.readBytes(absent),
          await files.list(absent),
          await files.realPath(absent),
          await files.kind(absent),
        ]).toEqual([undefined, undefined, [], undefined, undefined]);
      },
    );

    test('makeDirectory() makes parents, with the mode', async () => {
      using folder = temporaryFolder();
      await files.makeDirectory(`${folder.path}/a/b`, 0o700);
      expect(modeOf(`${folder.path}/a/b`)).toBe('700');
    });
    test('makeDirectory() is quiet when the directory is there, and leaves it', async () => {
      using folder = temporaryFolder();
      writeFileSync(`${folder.path}/kept`, '');
      await files.makeDirectory(folder.path, 0o700);
      expect(readdirSync(folder.path)).toEqual(['kept']);
    });

    test('replace() gives the file its text and mode 0600, whatever mode it had', async () => {
      using folder = temporaryFolder();
      writeFileSync(`${folder.path}/a`, 'old', { mode: 0o644 });
      await files.replace(`${folder.path}/a`, 'key = "$(new)"\n', 0o600, `${folder.path}/a.new`);
      expect([readFileSync(`${folder.path}/a`, 'utf8'), modeOf(`${folder.path}/a`), readdirSync(folder.path)]).toEqual([
        'key = "$(new)"\n',
        '600',
        ['a'],
      ]);
    });
    test('replace() leaves the old file whole for those who read it', async () => {
      using folder = temporaryFolder();
      writeFileSync(`${folder.path}/a`, 'old and long');
      const reader = openSync(`${folder.path}/a`, 'r');
      await files.replace(`${folder.path}/a`, 'new', 0o600, `${folder.path}/a.new`);
      expect(readFileSync(reader, 'utf8')).toBe('old and long');
      closeSync(reader);
    });
    test('replace() never shows a part of the text', async () => {
      using folder = temporaryFolder();
      const path = `${folder.path}/a`;
      const [one, other] = ['1'.repeat(500_000), '2'.repeat(400_000)];
      writeFileSync(path, one);
      const writing = (async () => {
        for (const text of [other, one, other, one]) await files.replace(path, text, 0o600, `${path}.new`);
        return true;
      })();
      const seen = new Set<number>();
      const look = async (): Promise<false> => {
        seen.add(readFileSync(path).length);
        return await new Promise((resolve) => {
          setImmediate(() => {
            resolve(false);
          });
        });
      };
      while (!(await Promise.race([writing, look()])));
      expect([...seen].filter((length) => length !== one.length && length !== other.length)).toEqual([]);
    });
    test('replace() that cannot write the new text leaves the old', async () => {
      using folder = temporaryFolder();
      writeFileSync(`${folder.path}/a`, 'old');
      await expect(files.replace(`${folder.path}/a`, 'new', 0o600, `${folder.path}/no/a.new`)).rejects.toThrow();
      expect(readFileSync(`${folder.path}/a`, 'utf8')).toBe('old');
    });
    test('replace() takes a temporary file that was left over', async () => {
      using folder = temporaryFolder();
      writeFileSync(`${folder.path}/a.new`, 'left over and longer', { mode: 0o644 });
      await files.replace(`${folder.path}/a`, 'new', 0o600, `${folder.path}/a.new`);
      expect([readFileSync(`${folder.path}/a`, 'utf8'), modeOf(`${folder.path}/a`)]).toEqual(['new', '600']);
    });

    test('create() writes a file that is not there, with the mode, and leaves one that is', async () => {
      using folder = temporaryFolder();
      await files.create(`${folder.path}/a`, 'text', 0o600);
      await expect(files.create(`${folder.path}/a`, 'other', 0o644)).rejects.toThrow();
      expect([readFileSync(`${folder.path}/a`, 'utf8'), modeOf(`${folder.path}/a`)]).toEqual(['text', '600']);
    });
    test('create() does not follow a link', async () => {
      using folder = temporaryFolder();
      symlinkSync(`${folder.path}/elsewhere`, `${folder.path}/a`);
      await expect(files.create(`${folder.path}/a`, 'secret', 0o600)).rejects.toThrow();
      expect(existsSync(`${folder.path}/elsewhere`)).toBe(false);
    });
    test('rename() gives a file its new name, in place of what has it', async () => {
      using folder = temporaryFolder();
      for (const file of ['a', 'b']) writeFileSync(`${folder.path}/${file}`, file);
      expect(await files.rename(`${folder.path}/a`, `${folder.path}/b`)).toBe(true);
      expect([readdirSync(folder.path), readFileSync(`${folder.path}/b`, 'utf8')]).toEqual([['b'], 'a']);
    });
    test('rename() gives false when the file is gone, and rejects when its place is', async () => {
      using folder = temporaryFolder();
      writeFileSync(`${folder.path}/b`, 'b');
      expect(await files.rename(`${folder.path}/a`, `${folder.path}/b`)).toBe(false);
      await expect(files.rename(`${folder.path}/b`, `${folder.path}/no/b`)).rejects.toThrow();
      expect(readFileSync(`${folder.path}/b`, 'utf8')).toBe('b');
    });

    test('link() makes a second name', async () => {
      using folder = temporaryFolder();
      writeFileSync(`${folder.path}/a`, 'text');
      expect(await files.link(`${folder.path}/a`, `${folder.path}/b`)).toBe(true);
      expect(statSync(`${folder.path}/b`).ino).toBe(statSync(`${folder.path}/a`).ino);
    });
    test('link() gives false when the name is there, and leaves it', async () => {
      using folder = temporaryFolder();
      for (const file of ['a', 'b']) writeFileSync(`${folder.path}/${file}`, file);
      expect(await files.link(`${folder.path}/a`, `${folder.path}/b`)).toBe(false);
      expect(readFileSync(`${folder.path}/b`, 'utf8')).toBe('b');
    });
    test('link() gives true to one of many', async () => {
      using folder = temporaryFolder();
      writeFileSync(`${folder.path}/a`, '');
      const won = await Promise.all(
        Array.from({ length: 6 }, () => files.link(`${folder.path}/a`, `${folder.path}/lock`)),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
    });
    test('link() of what is not there rejects', async () => {
      using folder = temporaryFolder();
      await expect(files.link(`${folder.path}/absent`, `${folder.path}/b`)).rejects.toThrow();
    });

    test('remove() is quiet when the file is gone', async () => {
      using folder = temporaryFolder();
      writeFileSync(`${folder.path}/a`, '');
      await files.remove(`${folder.path}/a`);
      await files.remove(`${folder.path}/a`);
      expect(readdirSync(folder.path)).toEqual([]);
    });
    test('remove() takes a link away, and not what it leads to', async () => {
      using folder = temporaryFolder();
      writeFileSync(`${folder.path}/a`, '');
      symlinkSync('a', `${folder.path}/link`);
      symlinkSync('nowhere', `${folder.path}/dangling`);
      await files.remove(`${folder.path}/link`);
      await files.remove(`${folder.path}/dangling`);
      expect(readdirSync(folder.path)).toEqual(['a']);
    });

    test('removeDirectory() removes an empty directory, and is quiet when it is gone', async () => {
      using folder = temporaryFolder();
      mkdirSync(`${folder.path}/a`);
      expect([
        await files.removeDirectory(`${folder.path}/a`),
        await files.removeDirectory(`${folder.path}/a`),
      ]).toEqual([true, true]);
      expect(existsSync(`${folder.path}/a`)).toBe(false);
    });
    test('removeDirectory() gives false when the directory is not empty, and leaves all in it', async () => {
      using folder = temporaryFolder();
      mkdirSync(`${folder.path}/a`);
      writeFileSync(`${folder.path}/a/kept`, '');
      expect(await files.removeDirectory(`${folder.path}/a`)).toBe(false);
      expect(lstatSync(`${folder.path}/a/kept`).isFile()).toBe(true);
    });

    // Nobody, root included, makes anything there: sysfs has no way to, or is mounted read-only.
    test.each<[string, () => Promise<unknown>]>([
      ['makeDirectory', () => files.makeDirectory('/sys/kernel/made-by-a-test', 0o700)],
      ['replace', () => files.replace('/sys/kernel/made-by-a-test', 'text', 0o600, '/sys/kernel/made-by-a-test.new')],
    ])('%s() where this user may not rejects with PERMISSION_DENIED and a hint', async (_method, deed) => {
      await expect(deed()).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
        message: expect.stringContaining('/sys/kernel/made-by-a-test') as unknown,
        hint: expect.stringContaining('root_helper') as unknown,
      });
    });
  });
}
