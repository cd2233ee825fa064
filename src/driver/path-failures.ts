import { isVolumeError, VolumeError, type VolumeErrorCode } from '../base/volume-error.js';

/** Failures of the transport itself. A wrong password, a refusal or a missing target would meet TCP as well, and must not be hidden by it. */
const TRANSPORT_FAILURES: readonly VolumeErrorCode[] = ['TRANSPORT_UNAVAILABLE', 'TRANSPORT_MISMATCH', 'PORTAL_UNREACHABLE'];

export function isTransportFailure(error: unknown): error is VolumeError {
  return isVolumeError(error, ...TRANSPORT_FAILURES);
}

/** One error for several paths: that of the first which is not the transport's, since another transport could not mend it. */
export function summaryOf(failures: readonly VolumeError[]): VolumeError {
  const [first, ...others] = failures;
  if (first === undefined) throw new RangeError('Cannot sum up no failures');
  if (others.length === 0) return first;
  const { code, hint } = failures.find((failure) => !TRANSPORT_FAILURES.includes(failure.code)) ?? first;
  return new VolumeError(code, `Cannot connect the volume through any of its ${failures.length} portals`, { cause: new AggregateError(failures), ...(hint === undefined ? {} : { hint }) });
}
