import { isVolumeError, type VolumeError, type VolumeErrorCode } from '../base/volume-error.js';
import type { Portal } from '../connection/portal.js';
import type { IfaceName } from '../iface/iface-name.js';

/**
 * Failures of the transport itself. A wrong password, a refusal or a missing target would meet TCP as well, and must
 * not be hidden by it.
 */
export const TRANSPORT_FAILURES = [
  'TRANSPORT_UNAVAILABLE',
  'TRANSPORT_MISMATCH',
  'PORTAL_UNREACHABLE',
] as const satisfies readonly VolumeErrorCode[];
export type TransportFailureCode = (typeof TRANSPORT_FAILURES)[number];

/** That an iface could not reach a portal at a login, and the fallback could. */
export interface TransportFailure {
  readonly iface: IfaceName;
  /** Without a tag, which is no part of a portal's identity. */
  readonly portal: Portal;
  readonly code: TransportFailureCode;
  /** One line for people: the error's messages through all its causes. */
  readonly reason: string;
  readonly hint: string | undefined;
  /** When it failed, by `Clock.now()`: milliseconds since the boot. */
  readonly failedAt: number;
}

export function isTransportFailure(error: unknown): error is VolumeError & { readonly code: TransportFailureCode } {
  return isVolumeError(error, ...TRANSPORT_FAILURES);
}

export function isTransportFailureCode(code: unknown): code is TransportFailureCode {
  return (TRANSPORT_FAILURES as readonly unknown[]).includes(code);
}
