import { quoted } from '../base/quoted.js';
import { VolumeError } from '../base/volume-error.js';
import { DRIVER_VOLUME_TYPES, type DriverVolumeType } from '../connection/iscsi-connection.js';
import type { VolumeDriver } from './volume-driver.js';

/**
 * The driver that serves a `driver_volume_type`.
 * @throws {VolumeError} `DRIVER_UNKNOWN` that names the types there are
 */
export function driverFor(
  volumeType: string,
  drivers: Readonly<Record<DriverVolumeType, () => VolumeDriver>>,
): VolumeDriver {
  const known = DRIVER_VOLUME_TYPES.find((type) => type === volumeType);
  if (known === undefined) {
    throw new VolumeError(
      'DRIVER_UNKNOWN',
      `Cannot find a driver for driver_volume_type ${quoted(volumeType)}: there are ` +
        DRIVER_VOLUME_TYPES.join(' and '),
    );
  }
  return drivers[known]();
}
