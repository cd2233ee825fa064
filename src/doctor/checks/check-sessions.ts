import { quoted } from '../../base/quoted.js';
import { finding, type Finding } from '../finding.js';
import type { HostState } from '../host-state.js';
import { ifSeen } from '../seen.js';

/** Sessions of other hands that this library cannot place: it never uses nor ends them. */
export function checkSessions({ sessions }: HostState): readonly Finding[] {
  return ifSeen(sessions, ({ foreign }) =>
    foreign.map(({ id, target, iface, reason }) =>
      finding(
        'SESSION_UNKNOWN',
        `session ${id} to ${quoted(target)} over the iface ${quoted(iface)} is left alone: ${reason}`,
      ),
    ),
  );
}
