import type { FileSystem } from '../../src/host/file-system.js';

const BLOCK = '/sys/class/block';

/**
 * The files of a host on which that target has no disk. Two hosts of a migration are one kernel in the lab machine, and
 * each would find the other's disks under the WWIDs of its own.
 */
export function withoutDisksOf(iqn: string, files: FileSystem): FileSystem {
  const isTheirs = async (name: string): Promise<boolean> => {
    const [, session] = /\/(session\d+)\//.exec((await files.realPath(`${BLOCK}/${name}`)) ?? '') ?? [];
    return session !== undefined && (await files.readText(`/sys/class/iscsi_session/${session}/targetname`)) === iqn;
  };
  const list = async (path: string): Promise<readonly string[]> => {
    const names = await files.list(path);
    if (path !== BLOCK) return names;
    const theirs = await Promise.all(names.map(isTheirs));
    return names.filter((_name, index) => theirs[index] === false);
  };
  return new Proxy(files, {
    get: (target, name): unknown => {
      if (name === 'list') return list;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
