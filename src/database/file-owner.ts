import type { ProcessIdentity } from '../host/processes.js';

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
