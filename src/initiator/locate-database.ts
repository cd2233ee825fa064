import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { CommandRunner } from '../host/command.js';
import type { FileSystem } from '../host/file-system.js';
import { type DatabaseLocation, DEFAULT_LOCK_FOLDER, locationIn, rootIn } from '../database/database-location.js';
import { askForRecordCommand } from './iscsiadm-commands.js';

/** Longer than the 30 s that open-iscsi itself waits for its database (usr/idbm.c, idbm_lock). */
const WAIT_MS = 45_000;
/** A discovery record that nobody has: a host name may not hold it (RFC 952). */
const NOBODY = { name: 'libvirt-volume.none', port: 3260 };

export interface LocatorParts {
  readonly commands: CommandRunner;
  readonly files: FileSystem;
  /** The option `database_root`. */
  readonly databaseRoot: string | undefined;
}

/**
 * Finds out where this host's open-iscsi keeps its database: it is compiled in, and no file says it. What the option
 * says is taken; else the program is read; else, where a wrapper stands in for it, it is asked. Folders prove nothing:
 * an upgrade leaves the old ones, and before its first use a new one has none.
 * @throws {VolumeError} `COMMAND_NOT_FOUND` when there is no iscsiadm, `DATABASE_FAILED` when it does not tell
 */
export async function locateDatabase(
  { commands, files, databaseRoot }: LocatorParts,
  signal: AbortSignal,
): Promise<DatabaseLocation> {
  if (databaseRoot === undefined) return await proveLocation({ commands, files }, signal);
  const program = await readProgram({ commands, files }, signal).catch((error: unknown) => {
    if (isVolumeError(error, 'COMMAND_NOT_FOUND')) return undefined;
    throw error;
  });
  const lockFolder = program?.lockFolder ?? DEFAULT_LOCK_FOLDER;
  return { root: databaseRoot, lockFolder, proof: { kind: 'option' } };
}

/** As locateDatabase(), whatever the option says. */
export async function proveLocation(
  { commands, files }: Omit<LocatorParts, 'databaseRoot'>,
  signal: AbortSignal,
): Promise<DatabaseLocation> {
  const read = await readProgram({ commands, files }, signal);
  if (read !== undefined) return read;
  const { exitCode, stdout, stderr } = await commands.run(askForRecordCommand(NOBODY, WAIT_MS), signal);
  const root = rootIn(`${stderr}\n${stdout}`, `${NOBODY.name},${NOBODY.port}`);
  if (root !== undefined) return { root, lockFolder: DEFAULT_LOCK_FOLDER, proof: { kind: 'answer' } };
  throw new VolumeError(
    'DATABASE_FAILED',
    'Cannot find out where iscsiadm keeps its records: neither does the program hold the path, nor does it tell',
    {
      cause: stderr.trim() === '' ? undefined : new Error(stderr.trim()),
      hint: 'set database_root to the folder in which open-iscsi keeps nodes and ifaces',
      details: { exitCode },
    },
  );
}

async function readProgram(
  { commands, files }: Omit<LocatorParts, 'databaseRoot'>,
  signal: AbortSignal,
): Promise<DatabaseLocation | undefined> {
  const path = await commands.locate?.('iscsiadm', signal);
  if (path === undefined) return undefined;
  const bytes = await files.readBytes(path).catch((error: unknown) => {
    if (isVolumeError(error, 'PERMISSION_DENIED')) return undefined;
    throw error;
  });
  const location = bytes === undefined ? undefined : locationIn(bytes);
  return location === undefined ? undefined : { ...location, proof: { kind: 'program', path } };
}
