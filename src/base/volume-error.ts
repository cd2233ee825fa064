import type { DetailsOf } from './error-details.js';

/**
 * Every code a caller may decide on, with the exit status the command line gives it: 2 where the caller's input is
 * wrong, 1 where the work was refused or failed. Codes are stable within a major version; messages are free to improve.
 * docs/errors.md explains each.
 */
export const ERROR_EXIT_STATUS = {
  USAGE: 2,
  CONFIG_INVALID: 2,
  CONNECTION_INFO_INVALID: 2,
  DISK_INFO_INVALID: 2,
  DRIVER_UNKNOWN: 2,
  ABORTED: 1,
  PERMISSION_DENIED: 1,
  COMMAND_NOT_FOUND: 1,
  COMMAND_FAILED: 1,
  COMMAND_TIMED_OUT: 1,
  LOCK_TIMED_OUT: 1,
  LOCK_LOST: 1,
  DATABASE_LOCKED: 1,
  DATABASE_FAILED: 1,
  IFACE_NOT_FOUND: 1,
  IFACE_UNUSABLE: 1,
  INITIATOR_UNAVAILABLE: 1,
  LOGIN_AUTH_FAILED: 1,
  LOGIN_REFUSED: 1,
  PORTAL_UNREACHABLE: 1,
  TRANSPORT_UNAVAILABLE: 1,
  TRANSPORT_MISMATCH: 1,
  MULTIPATH_UNAVAILABLE: 1,
  LOGOUT_FAILED: 1,
  DEVICE_NOT_FOUND: 1,
  DEVICE_IN_USE: 1,
  DEVICE_MISMATCH: 1,
  FLUSH_FAILED: 1,
  RESIZE_FAILED: 1,
  COPY_FAILED: 1,
  CLEANUP_INCOMPLETE: 1,
  DOMAIN_NOT_FOUND: 1,
  LIBVIRT_UNAVAILABLE: 1,
  LIBVIRT_REFUSED: 1,
  DETACH_UNCONFIRMED: 1,
} as const;

export type VolumeErrorCode = keyof typeof ERROR_EXIT_STATUS;

export interface VolumeErrorOptions extends ErrorOptions {
  /** What would be right, or the command that mends it. */
  readonly hint?: string;
  /** Facts for programs: the portal, the iface, the exit status. Never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The one error this library throws at its callers for anything that is not a programming mistake. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
  readonly code: VolumeErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: VolumeErrorCode, message: string, { hint, details, ...options }: VolumeErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.hint = hint;
    this.details = details ?? {};
  }
}

/** An error of one of these codes, with its details by name. */
export type VolumeErrorOf<Code extends VolumeErrorCode> = VolumeError & {
  readonly code: Code;
  readonly details: DetailsOf<Code>;
};

/** Whether it is an error of this library, of one of the codes where some are named. */
export function isVolumeError<Code extends VolumeErrorCode = VolumeErrorCode>(
  error: unknown,
  ...codes: readonly Code[]
): error is VolumeErrorOf<Code> {
  return error instanceof VolumeError && (codes.length === 0 || (codes as readonly string[]).includes(error.code));
}
