import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { IscsiConnection } from '../connection/iscsi-connection.js';
import { type ConnectedVolume, sourcePathsOf } from '../volume/connected-volume.js';
import type { HeldVolumes } from '../volume/held-volumes.js';

/**
 * That a volume is the one that it was before the locks of its targets were let go. Its paths are asked anew.
 * @throws {VolumeError} `DEVICE_NOT_FOUND`, `DEVICE_MISMATCH`
 */
export async function requireSameVolume(
  { which, connection, before }: SwappedSide,
  held: HeldVolumes,
  signal: AbortSignal,
): Promise<ConnectedVolume> {
  const { path, wwid } = before.device;
  try {
    if (wwid !== undefined) await held.verifyIdentity(connection, wwid, signal);
  } catch (error) {
    throw isVolumeError(error, 'DEVICE_MISMATCH') ? changed(which, error) : error;
  }
  const now = await held.find(connection);
  if (now === undefined)
    throw new VolumeError(
      'DEVICE_NOT_FOUND',
      `Cannot move the guest to the new volume: the ${which} one has gone from this host during the copy`,
      { details: { device: path } },
    );
  const paths: readonly string[] = sourcePathsOf(now);
  if (now.device.wwid !== wwid || !paths.includes(path)) throw changed(which, undefined);
  return now;
}

/** One of the two volumes of a swap. */
export interface SwappedSide {
  readonly which: 'old' | 'new';
  readonly connection: IscsiConnection;
  /** As it was found when the copy began. */
  readonly before: ConnectedVolume;
}

function changed(which: SwappedSide['which'], cause: VolumeError | undefined): VolumeError {
  return new VolumeError(
    'DEVICE_MISMATCH',
    `Cannot move the guest to the new volume: the ${which} one is another volume since the copy began`,
    {
      hint: 'see which volume the storage exports under the LUN',
      ...(cause === undefined ? {} : { cause, details: cause.details }),
    },
  );
}
