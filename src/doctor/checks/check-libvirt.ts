import { errorChain } from '../../base/error-chain.js';
import { adapterFor } from '../../libvirt/libvirt-uri.js';
import { finding, type Finding } from '../finding.js';
import type { HostState } from '../host-state.js';

/** Whether libvirt answers at `uri`. */
export function checkLibvirt({ libvirt: { answer, unit }, options: { uri } }: HostState): readonly Finding[] {
  if (answer.kind === 'seen') return [finding('LIBVIRT_ANSWERS', `libvirt answers at ${uri}`)];
  const startable = answer.error.code === 'LIBVIRT_UNAVAILABLE' && adapterFor(uri) === 'rpc' && unit !== undefined;
  return [
    finding(
      'LIBVIRT_UNREACHABLE',
      `libvirt does not answer at ${uri}: ${errorChain(answer.error)}`,
      startable ? `systemctl start ${unit}` : undefined,
    ),
  ];
}
