import { isVolumeError } from '../base/volume-error.js';
import type { FileSystem } from '../host/file-system.js';
import type { Processes, ProcessIdentity } from '../host/processes.js';

/** What the names of files that this library leaves beside open-iscsi's own begin with. */
export const OWN_PREFIX = 'libvirt-volume.';
const PATTERN =
  /^libvirt-volume\.(?<bootId>[0-9a-f-]*)\.(?<namespaces>(?:\d+\.\d+)?)\.(?<pid>\d+)\.(?<start>\d*)\.\d+(?:\.taken)?$/;

/**
 * A name for a file of this process that no other file has, also where two libraries or threads are in one process, and
 * from which ownerOf() tells whose it is.
 */
export function ownName({ bootId, namespaces, pid, start }: ProcessIdentity): string {
  return `${OWN_PREFIX}${bootId}.${namespaces}.${pid}.${start}.${Math.floor(Math.random() * 2 ** 48)}`;
}

/** The process that made the name; `undefined` for what ownName() did not make. */
export function ownerOf(name: string): ProcessIdentity | undefined {
  const { bootId, namespaces, pid, start } = PATTERN.exec(name)?.groups ?? {};
  if (bootId === undefined || namespaces === undefined || pid === undefined || start === undefined) return undefined;
  return { bootId, namespaces, pid: Number(pid), start };
}

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
