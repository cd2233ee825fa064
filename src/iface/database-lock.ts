import { shellWords } from '../base/shell-words.js';
import { VolumeError } from '../base/volume-error.js';
import type { Clock } from '../host/clock.js';
import type { FileSystem } from '../host/file-system.js';
import { until } from '../host/until.js';

/** There while somebody writes to the database. @param folder that of the lock */
export function writeLockIn(folder: string): string {
  return `${folder}/lock.write`;
}

/** open-iscsi itself holds the lock for milliseconds; its own tools give up after 30 s. */
const PATIENCE_MS = 5_000;

/**
 * Runs the body under open-iscsi's own database lock, in its own way: a hard link to a file, taken by whoever makes it (usr/idbm.c,
 * idbm_lock). The link has no owner, so one that a killed iscsiadm left stays; it is named, never broken.
 * @throws {VolumeError} `DATABASE_LOCKED`
 */
export async function holdDatabaseLock<Result>(
  { files, clock, folder, signal }: { readonly files: FileSystem; readonly clock: Clock; readonly folder: string; readonly signal: AbortSignal },
  body: () => Promise<Result>,
): Promise<Result> {
  const [lock, writeLock] = [`${folder}/lock`, writeLockIn(folder)];
  await files.makeDirectory(folder, 0o770);
  if ((await files.kind(lock)) === undefined) await files.replace(lock, '', 0o666, `${lock}.libvirt-volume`);
  const taken = await until(async () => ((await files.link(lock, writeLock)) ? true : undefined), { clock, timeoutMs: PATIENCE_MS, signal });
  if (taken !== true) {
    throw new VolumeError('DATABASE_LOCKED', `Cannot lock open-iscsi's database: ${writeLock} has been there for ${PATIENCE_MS / 1000} s`, {
      hint: `if "pgrep -x iscsiadm" prints nothing, a killed iscsiadm left it: rm ${shellWords(writeLock)}`,
    });
  }
  try {
    return await body();
  } finally {
    await files.remove(writeLock);
  }
}
