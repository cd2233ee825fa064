import { VolumeError } from '../base/volume-error.js';
import { formatPortal } from '../connection/portal.js';
import type { Clock } from '../host/clock.js';
import { pollUntil } from '../host/poll-until.js';
import type { Iface } from '../iface/iface.js';
import { hiddenSession } from './login-error.js';
import { isSessionOf, type Session, type SessionKey } from './session.js';

/** The kernel takes a moment longer than iscsid to show or to drop a session. */
export const SYSFS_PATIENCE_MS = 5_000;

export interface ProofParts {
  readonly iface: Iface;
  /** Whether iscsiadm says that it made the session; it was there before, else. */
  readonly made: boolean;
  /** Looks at the sessions as they are now. */
  readonly sessions: () => Promise<readonly Session[]>;
  readonly clock: Clock;
}

/** What iscsid took for the session that was to be made. */
function unusableSession(key: SessionKey, all: readonly Session[]): VolumeError {
  const present = all.find((session) => isSessionOf(session, key));
  if (present === undefined) {
    return hiddenSession(
      key,
      all.filter(({ target, iface }) => target === key.target && iface === key.iface),
    );
  }
  const { id, target, state } = present;
  return new VolumeError('PORTAL_UNREACHABLE', `Cannot use the session ${id} to ${target}: it is ${state}`);
}

/**
 * A record that names a transport proves nothing: the kernel's session does.
 * @throws {VolumeError} `TRANSPORT_MISMATCH`; `COMMAND_FAILED` when iscsid has taken another session for this one
 */
export async function provenSession(
  key: SessionKey,
  { iface, made, sessions, clock }: ProofParts,
  signal: AbortSignal,
): Promise<Session> {
  const session = await pollUntil(
    async () => (await sessions()).find((candidate) => isSessionOf(candidate, key) && candidate.state === 'LOGGED_IN'),
    { clock, timeoutMs: SYSFS_PATIENCE_MS, signal },
  );
  if (session === undefined && !made) throw unusableSession(key, await sessions());
  if (session === undefined) {
    throw new VolumeError(
      'TRANSPORT_MISMATCH',
      `Cannot find the session to ${key.target} at ${formatPortal(key.portal)} over ${key.iface} that iscsiadm has ` +
        'just made',
      {
        hint: 'compare the names that /sys/class/iscsi_session/session*/ifacename holds with iscsi_iface',
      },
    );
  }
  if (session.transport !== iface.transport) {
    throw new VolumeError(
      'TRANSPORT_MISMATCH',
      `Cannot use the session to ${key.target} at ${formatPortal(key.portal)}: the iface ${key.iface} asks for ` +
        `${iface.transport} and the kernel runs it over ${session.transport}`,
    );
  }
  return session;
}
