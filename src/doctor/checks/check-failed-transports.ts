import { finding, type Finding } from '../finding.js';
import type { HostState } from '../host-state.js';
import { ifSeen } from '../seen.js';

/** One warning for each that is still waited for. */
export function checkFailedTransports({ failedTransports }: HostState): readonly Finding[] {
  return ifSeen(failedTransports, (list) =>
    list
      .filter(({ retryInMs }) => retryInMs > 0)
      .map(({ iface, portal, reason, retryInMs }) =>
        finding(
          'TRANSPORT_NOT_TRIED',
          `the iface ${iface} failed at ${portal} and is not tried there for another ` +
            `${Math.ceil(retryInMs / 1000)} s: ${reason}`,
        ),
      ),
  );
}
