import type { VolumeError } from '../base/volume-error.js';
import type { FileSystem } from '../host/file-system.js';
import { type DatabaseLocation, KNOWN_ROOTS } from '../database/database-location.js';
import { proveLocation } from '../initiator/locate-database.js';
import { databasePaths } from './database-records.js';
import type { DatabaseState, RecordsElsewhere } from './host-state.js';
import { mapLimited } from './map-limited.js';
import type { DoctorParts } from './read-host-state.js';
import { see } from './seen.js';

/**
 * Where the database is, how that is known, and what lies where open-iscsi has been known to keep it elsewhere.
 * @throws {VolumeError} when it is not known
 */
export async function readDatabase(parts: DoctorParts, signal: AbortSignal): Promise<DatabaseState> {
  const { files, commands, database, options } = parts;
  const location = await database.location();
  const proven =
    options.databaseRoot === undefined
      ? undefined
      : await see(async () => await proveLocation({ files, commands }, signal));
  const others = await Promise.all(
    KNOWN_ROOTS.filter((root) => root !== location.root).map(
      async (root) => await recordsElsewhere(files, root, location),
    ),
  );
  return { location, proven, elsewhere: others.filter(({ count }) => count > 0) };
}

/** Records that have no counterpart in the database itself: where one folder leads to the other, all have. */
async function recordsElsewhere(
  files: FileSystem,
  root: string,
  location: DatabaseLocation,
): Promise<RecordsElsewhere> {
  const paths = (await databasePaths(files, root)).map((path) => path.slice(root.length + 1));
  const unread = (
    await mapLimited(paths, async (path) =>
      (await files.kind(`${location.root}/${path}`)) === undefined ? [path] : [],
    )
  ).flat();
  return { root, folders: [...new Set(unread.map((path) => path.slice(0, path.indexOf('/'))))], count: unread.length };
}

/**
 * Nobody can say of a host without iscsiadm where its database is; that it has none is told once, by another finding.
 */
export function isWithoutIscsiadm(error: VolumeError): boolean {
  return error.code === 'COMMAND_NOT_FOUND';
}
