import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, realpathSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Makes the disk that the machine mounts at /project: its programs (one file each, packages and all) and node itself.
 * Over 9p, node takes a second longer to start, and the programs load once from a page cache that 9p would not keep.
 */
export function makeProjectImage(folder: string, image: string, machine: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const path of ['build/lab/machine', 'lab/image', 'config', 'package.json'])
    // maps are read on the host
    cpSync(path, join(folder, path), { recursive: true, filter: (file) => !file.endsWith('.map') });
  copyNode(folder);
  for (const file of ['vmlinux', 'guest-initramfs']) cpSync(join(machine, file), join(folder, file));
  if (existsSync(join(machine, 'capabilities')))
    cpSync(join(machine, 'capabilities'), join(folder, 'capabilities'), { recursive: true, preserveTimestamps: true });
  rmSync(image, { force: true });
  writeFileSync(image, '');
  truncateSync(image, 512 * 2 ** 20);
  const made = spawnSync(
    'mke2fs',
    ['-q', '-F', '-t', 'ext4', '-O', '^has_journal,^metadata_csum', '-E', 'root_owner=0:0', '-d', folder, image],
    {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
    },
  );
  if (made.status !== 0) throw new Error(`Cannot make ${image}: ${made.error?.message ?? made.stderr}`);
  rmSync(folder, { recursive: true });
}

/** The Node that scripts/nodes.js chose: one that another Debian can run. */
function copyNode(folder: string): void {
  const copy = join(folder, 'node/bin/node');
  mkdirSync(dirname(copy), { recursive: true });
  cpSync(realpathSync(process.env['LIBVIRT_VOLUME_LAB_NODE'] ?? process.execPath), copy);
}
