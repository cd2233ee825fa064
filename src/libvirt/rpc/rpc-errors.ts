import { VolumeError, type VolumeErrorCode } from '../../base/volume-error.js';
import type { WireError } from './messages.js';
import { LIBVIRT_ERROR } from './protocol.js';

const START_HINT =
  'Start libvirt on this host: systemctl start libvirtd.socket (or virtqemud.socket where libvirt is modular)';
const PERMISSION_HINT = 'Run as root, or as a member of the group that owns the socket (usually libvirt)';

const CODES: Readonly<Record<number, { readonly code: VolumeErrorCode; readonly hint: string }>> = {
  [LIBVIRT_ERROR.noDomain]: { code: 'DOMAIN_NOT_FOUND', hint: 'List the guests: virsh list --all' },
  [LIBVIRT_ERROR.authFailed]: { code: 'PERMISSION_DENIED', hint: PERMISSION_HINT },
  [LIBVIRT_ERROR.authCancelled]: { code: 'PERMISSION_DENIED', hint: PERMISSION_HINT },
  [LIBVIRT_ERROR.authUnavailable]: { code: 'PERMISSION_DENIED', hint: PERMISSION_HINT },
  [LIBVIRT_ERROR.accessDenied]: {
    code: 'PERMISSION_DENIED',
    hint: "Allow it in libvirt's access control (polkit rules for org.libvirt.api)",
  },
};

/** The error of a call that the daemon answered with an error: libvirt's own words, and its numbers for programs. */
export function refusal(
  doing: string,
  { code: libvirtCode, domain: libvirtDomain, message = 'no reason given' }: WireError,
): VolumeError {
  const { code, hint } = CODES[libvirtCode] ?? { code: 'LIBVIRT_REFUSED' as const, hint: undefined };
  return new VolumeError(code, `Cannot ${doing}: ${message}`, {
    ...(hint === undefined ? {} : { hint }),
    details: { libvirtCode, libvirtDomain },
  });
}

/** The error of a call that no answer came to, or that could not be made. */
export function connectionLost(doing: string, why: string, cause?: unknown): VolumeError {
  return new VolumeError('LIBVIRT_UNAVAILABLE', `Cannot ${doing}: ${why}`, { hint: START_HINT, cause });
}

/** The error of a socket that did not let us in. */
export function connectFailed(path: string, cause: NodeJS.ErrnoException): VolumeError {
  if (cause.code === 'EACCES' || cause.code === 'EPERM') {
    return new VolumeError('PERMISSION_DENIED', `Cannot connect to libvirt at ${path}: permission denied`, {
      hint: PERMISSION_HINT,
      details: { socket: path },
      cause,
    });
  }
  const why =
    cause.code === 'ENOENT'
      ? 'there is no such socket'
      : cause.code === 'ECONNREFUSED'
        ? 'nobody listens there'
        : cause.message;
  return new VolumeError('LIBVIRT_UNAVAILABLE', `Cannot connect to libvirt at ${path}: ${why}`, {
    hint: START_HINT,
    details: { socket: path },
    cause,
  });
}
