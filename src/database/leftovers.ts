import { isVolumeError } from '../base/volume-error.js';
import type { FileSystem } from '../host/file-system.js';
import type { Processes } from '../host/processes.js';
import { ownerOf } from './file-owner.js';

interface LeftoverParts {
  readonly files: FileSystem;
  readonly processes: Processes;
}

/**
 * Removes files of this library in a folder whose maker was killed.
 * @param mark what their names begin with before ownName()'s
 */
export async function removeLeftovers({ files, processes }: LeftoverParts, folder: string, mark = ''): Promise<void> {
  for (const name of await files.list(folder)) {
    const owner = name.startsWith(mark) ? ownerOf(name.slice(mark.length)) : undefined;
    if (owner !== undefined && (await processes.hasEnded(owner))) await files.remove(`${folder}/${name}`);
  }
}

/** What cannot be removed now is left to the next: it stands in nobody's way. */
export async function removeLeftoversIfAllowed(...given: Parameters<typeof removeLeftovers>): Promise<void> {
  await removeLeftovers(...given).catch((error: unknown) => {
    if (!isVolumeError(error)) throw error;
  });
}
