import { VolumeError } from '../base/volume-error.js';
import type { Clock } from '../host/clock.js';
import type { FileSystem } from '../host/file-system.js';
import { until } from '../host/until.js';

const FOLDER = '/run/lock/iscsi';
const LOCK = `${FOLDER}/lock`;
/** There while somebody writes to the database. */
export const WRITE_LOCK = `${FOLDER}/lock.write`;

/** open-iscsi itself holds the lock for milliseconds; its own tools give up after 30 s. */
const PATIENCE_MS = 5_000;

/**
 * Runs the body under open-iscsi's own database lock, in its own way: a hard link to a file, taken by whoever makes it (usr/idbm.c,
 * idbm_lock). The link has no owner, so one that a killed iscsiadm left stays; it is named, never broken.
 * @throws {VolumeError} `DATABASE_LOCKED`
 */
export async function holdDatabaseLock<Result>(
  { files, clock, signal }: { readonly files: FileSystem; readonly clock: Clock; readonly signal: AbortSignal },
  body: () => Promise<Result>,
): Promise<Result> {
  await files.makeDirectory(FOLDER, 0o770);
  if ((await files.kind(LOCK)) === undefined) await files.replace(LOCK, '', 0o666, `${LOCK}.libvirt-volume`);
  const taken = await until(async () => ((await files.link(LOCK, WRITE_LOCK)) ? true : undefined), { clock, timeoutMs: PATIENCE_MS, signal });
  if (taken !== true) {
    throw new VolumeError('DATABASE_LOCKED', `Cannot lock open-iscsi's database: ${WRITE_LOCK} has been there for ${PATIENCE_MS / 1000} s`, {
      hint: `if "pgrep -x iscsiadm" prints nothing, a killed iscsiadm left it: rm ${WRITE_LOCK}`,
    });
  }
  try {
    return await body();
  } finally {
    await files.remove(WRITE_LOCK);
  }
}
