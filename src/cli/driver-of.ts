import { VolumeError } from '../base/volume-error.js';
import type { VolumeDriver } from '../driver/volume-driver.js';

/**
 * The driver that a connection_info asks for.
 * @throws {VolumeError} `CONNECTION_INFO_INVALID` when it does not say which; `DRIVER_UNKNOWN`
 */
export function driverOf(connectionInfo: unknown, driverFor: (volumeType: string) => VolumeDriver): VolumeDriver {
  const given = fieldOf(connectionInfo, 'driver_volume_type');
  if (typeof given === 'string') return driverFor(given);
  const wrapped = fieldOf(connectionInfo, 'connection_info') !== undefined;
  throw new VolumeError(
    'CONNECTION_INFO_INVALID',
    'Cannot use the connection_info: driver_volume_type is missing: expected a text such as "iscsi"',
    {
      details: { key: 'driver_volume_type' },
      ...(wrapped ? { hint: 'Give only what stands under connection_info' } : {}),
    },
  );
}

/** One field of an unknown value; `undefined` where there is none. */
export function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined;
}
