import type { VolumeFacts } from '../connection/iscsi-connection.js';
import { userAlias } from '../disk/user-alias.js';
import type { DiskMatch } from './guest-disk.js';

/** What tells the volume's disk from all others of a guest, as attach() gives it. */
export function diskMatch({ volumeId, serial }: VolumeFacts, sourcePaths: readonly string[]): DiskMatch {
  return {
    sourcePaths,
    ...(volumeId === undefined ? {} : { alias: `ua-${volumeId}` }),
    ...(serial === undefined ? {} : { serial }),
  };
}

/** The alias that attach() gives the volume's disk; `undefined` where the id makes none. */
export function aliasOf({ volumeId, serial }: VolumeFacts): string | undefined {
  const alias = userAlias(volumeId ?? serial);
  return alias === undefined ? undefined : `ua-${alias}`;
}
