import { quoted } from '../base/quoted.js';
import { VolumeError } from '../base/volume-error.js';
import type { VolumeFacts } from '../connection/iscsi-connection.js';
import { type DiskTarget, userAlias } from '../disk/disk-config.js';

/**
 * detach() finds the disk in the guest by the alias that is made of the id, else by its serial, which a lun has not; a
 * disk with neither could not be told from others.
 * @param doing what is refused: `attach`
 * @returns the volume's id
 * @throws {VolumeError} `CONNECTION_INFO_INVALID`
 */
export function requireFindable(
  doing: string,
  { volumeId, serial }: VolumeFacts,
  { type }: Pick<DiskTarget, 'type'>,
): string {
  if (volumeId !== undefined && (userAlias(volumeId) !== undefined || (serial !== undefined && type !== 'lun')))
    return volumeId;
  const problem =
    volumeId === undefined
      ? 'data.volume_id is missing, and serial as well'
      : `data.volume_id is ${quoted(volumeId)}, which libvirt takes for no alias, and the disk has no serial`;
  throw new VolumeError(
    'CONNECTION_INFO_INVALID',
    `Cannot ${doing} the volume: ${problem}: detach could not find it in the guest: expected letters, digits, - and _`,
    { details: { key: 'data.volume_id' } },
  );
}
