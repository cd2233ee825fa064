import type { FileSystem } from '../host/file-system.js';

/** Debian and Ubuntu keep the database in /etc/iscsi, Red Hat and open-iscsi since 2.1.9 in /var/lib/iscsi (build option `dbroot`). */
const ROOTS = ['/etc/iscsi', '/var/lib/iscsi'] as const;
export type DatabaseRoot = (typeof ROOTS)[number];

/** Where this host's open-iscsi keeps its records: the root that has any; else the one that has their folders; else /etc/iscsi. */
export async function findDatabaseRoot(files: FileSystem): Promise<DatabaseRoot> {
  const ranked = await Promise.all(ROOTS.map(async (root) => ({ root, rank: await rankOf(files, root) })));
  return ranked.reduce((best, candidate) => (candidate.rank > best.rank ? candidate : best), { root: ROOTS[0], rank: 0 }).root;
}

async function rankOf(files: FileSystem, root: DatabaseRoot): Promise<number> {
  const folders = [`${root}/nodes`, `${root}/ifaces`];
  const names = await Promise.all(folders.map((folder) => files.list(folder)));
  if (names.some((list) => list.some((name) => name !== 'iface.example'))) return 2;
  const kinds = await Promise.all(folders.map((folder) => files.kind(folder)));
  return kinds.includes('directory') ? 1 : 0;
}
