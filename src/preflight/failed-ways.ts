import { VolumeError } from '../base/volume-error.js';
import type { Iface } from '../iface/iface.js';

/** One error for several ifaces, none of which has a way to the volume. */
export function noneOf(ifaces: readonly Iface[], failures: readonly VolumeError[]): VolumeError {
  const [first, ...others] = failures;
  if (first !== undefined && others.length === 0) return first;
  return new VolumeError(
    'TRANSPORT_UNAVAILABLE',
    `Cannot use any of the ifaces ${ifaces.map(({ name }) => name).join(', ')}`,
    { cause: new AggregateError(failures), details: { reasonCode: 'NO_IFACE' } },
  );
}

/** The hardware's own word where it was the hardware that refused. */
export function reasonCodeOf({ code, details }: VolumeError): string {
  return typeof details['reasonCode'] === 'string' ? details['reasonCode'] : code;
}
