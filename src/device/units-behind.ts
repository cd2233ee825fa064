import type { Lun } from '../connection/lun.js';
import type { TargetName } from '../connection/target-name.js';
import type { FileSystem } from '../host/file-system.js';
import type { Session } from '../initiator/session.js';
import { lunOf, parseScsiAddress } from './scsi-address.js';

const BLOCK = '/sys/class/block';

/** A logical unit of a target. */
export interface TargetUnit {
  readonly target: TargetName;
  readonly lun: Lun;
}

/**
 * The units of which a device of this host is made, a disk or a map over disks, by the kernel's own word.
 * @returns none for what is no iSCSI disk, or is gone
 */
export async function unitsBehind(
  devicePath: string,
  sessions: readonly Session[],
  files: FileSystem,
): Promise<readonly TargetUnit[]> {
  const [, name] = /^\/dev\/([^/]+)$/.exec((await files.realPath(devicePath)) ?? '') ?? [];
  if (name === undefined) return [];
  const slaves = await files.list(`${BLOCK}/${name}/slaves`);
  const folders = await Promise.all(
    (slaves.length === 0 ? [name] : slaves).map(async (disk) => await files.realPath(`${BLOCK}/${disk}`)),
  );
  return folders.flatMap((folder) => {
    const session = sessions.find(({ devicePath: below }) => folder?.startsWith(`${below}/`) === true);
    const [, place] = /\/(\d+:\d+:\d+:\d+)\/block\/[^/]+$/.exec(folder ?? '') ?? [];
    const address = parseScsiAddress(place ?? '');
    return session === undefined || address === undefined ? [] : [{ target: session.target, lun: lunOf(address) }];
  });
}
