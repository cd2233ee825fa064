import { isVolumeError, VolumeError } from '../../base/volume-error.js';
import { type ConnectedVolume, sourcePathsOf } from '../../volume/connected-volume.js';

/** One of the two volumes of a swap. */
export interface SwappedSide {
  readonly which: 'old' | 'new';
  /** As it was found when the copy began. */
  readonly before: ConnectedVolume;
  /** How it is found now; may throw `DEVICE_MISMATCH`. */
  readonly find: () => Promise<ConnectedVolume | undefined>;
}

/**
 * That a volume is the one that it was before the locks of its targets were let go.
 * @returns it as it is now
 * @throws {VolumeError} `DEVICE_NOT_FOUND`, `DEVICE_MISMATCH`
 */
export async function requireSameVolume({ which, before, find }: SwappedSide): Promise<ConnectedVolume> {
  const { path, wwid } = before.device;
  const now = await find().catch((error: unknown) => {
    throw isVolumeError(error, 'DEVICE_MISMATCH') ? changed(which, error) : error;
  });
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
