import type { VolumeFacts } from '../connection/iscsi-connection.js';
import type { DiskMatch } from '../libvirt/guest-disk.js';

/** What tells the volume's disk from all others of a guest. */
export function diskMatch({ volumeId, serial }: VolumeFacts, sourcePaths: readonly string[]): DiskMatch {
  return { sourcePaths, ...(volumeId === undefined ? {} : { alias: `ua-${volumeId}` }), ...(serial === undefined ? {} : { serial }) };
}
