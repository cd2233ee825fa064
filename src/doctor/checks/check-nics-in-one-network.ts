import { checkReversePath } from '../../preflight/check-rp-filter.js';
import { finding, type Finding } from '../finding.js';
import type { HostState } from '../host-state.js';
import { ifSeen } from '../seen.js';

/** Whether the kernel's settings break sessions over a NIC that shares its network with another one. */
export function checkNicsInOneNetwork({ ifaces, reversePath }: HostState): readonly Finding[] {
  if (ifaces.kind === 'unseen') return []; // checkIfaces tells
  const { chosen, hardware } = ifaces.value;
  return ifSeen(reversePath, (settings) => {
    if (settings === undefined) return [];
    const used = chosen.flatMap((one) => (one.kind === 'found' ? [one.resolved.iface] : []));
    return checkReversePath(used, hardware, settings).map(({ code, reason, hint }) => finding(code, reason, hint));
  });
}
