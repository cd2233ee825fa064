import { VolumeError } from '../base/volume-error.js';
import { isTransportFailure } from '../preflight/transport-failure.js';

/**
 * One error for several paths: that of the first which is not the transport's, since another transport could not mend
 * it.
 */
export function summaryOf(failures: readonly VolumeError[]): VolumeError {
  const [first, ...others] = failures;
  if (first === undefined) throw new RangeError('Cannot sum up no failures');
  if (others.length === 0) return first;
  const { code, hint } = failures.find((failure) => !isTransportFailure(failure)) ?? first;
  return new VolumeError(code, `Cannot connect the volume through any of its ${failures.length} portals`, {
    cause: new AggregateError(failures),
    ...(hint === undefined ? {} : { hint }),
  });
}
