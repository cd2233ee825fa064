import { errorChain } from '../../src/base/error-chain.js';
import { VolumeError, type VolumeErrorCode } from '../../src/base/volume-error.js';

export interface Reply {
  readonly status: number;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * What each error is in HTTP: 4xx where the client can act, 502 where the storage is at fault, 503 where trying again
 * helps, 500 where this host must be mended. A code that is new does not compile until it stands here.
 */
const HTTP_STATUS: Readonly<Record<VolumeErrorCode, number>> = {
  USAGE: 400,
  CONNECTION_INFO_INVALID: 400,
  DISK_INFO_INVALID: 400,
  DRIVER_UNKNOWN: 400,
  DOMAIN_NOT_FOUND: 404,
  DEVICE_IN_USE: 409,
  DETACH_UNCONFIRMED: 409,
  LIBVIRT_REFUSED: 409,
  LOGIN_AUTH_FAILED: 502,
  LOGIN_REFUSED: 502,
  PORTAL_UNREACHABLE: 502,
  DEVICE_NOT_FOUND: 502,
  DEVICE_MISMATCH: 502,
  RESIZE_FAILED: 502,
  COPY_FAILED: 502,
  ABORTED: 503,
  LOCK_TIMED_OUT: 503,
  LOCK_LOST: 503,
  DATABASE_LOCKED: 503,
  COMMAND_TIMED_OUT: 503,
  INITIATOR_UNAVAILABLE: 503,
  LIBVIRT_UNAVAILABLE: 503,
  CONFIG_INVALID: 500,
  PERMISSION_DENIED: 500,
  COMMAND_NOT_FOUND: 500,
  COMMAND_FAILED: 500,
  DATABASE_FAILED: 500,
  IFACE_NOT_FOUND: 500,
  IFACE_UNUSABLE: 500,
  TRANSPORT_UNAVAILABLE: 500,
  TRANSPORT_MISMATCH: 500,
  MULTIPATH_UNAVAILABLE: 500,
  LOGOUT_FAILED: 500,
  FLUSH_FAILED: 500,
  CLEANUP_INCOMPLETE: 500,
};

/** An error as the client gets it: never a stack, and a secret is in no VolumeError. */
export function failureReply(error: unknown): Reply {
  if (error instanceof VolumeError) {
    return {
      status: HTTP_STATUS[error.code],
      body: { error: { ...error.details, code: error.code, message: errorChain(error), hint: error.hint } },
    };
  }
  console.error(error);
  return { status: 500, body: { error: { code: 'INTERNAL', message: 'A mistake in the service: its log says more' } } };
}
