import { isIP } from '../../base/ip-address.js';
import type { Hardware, NetDevice } from '../../iface/hardware.js';
import type { Iface } from '../../iface/iface.js';
import { isInSubnet } from '../../iface/subnet.js';
import { finding, type Finding } from '../finding.js';
import type { HostState } from '../host-state.js';
import { ifSeen } from '../seen.js';

/** rp_filter = 1: an answer is dropped that comes in where the kernel would not send to (Documentation/networking/ip-sysctl.rst; RFC 3704, 2.2). */
const STRICT = 1;

/**
 * Whether a device that a tcp iface is bound to would lose the target's answers: it shares a network with another device, over which the kernel sends to
 * that network, and its rp_filter is strict. Of `all` and the device's own the larger counts.
 */
export function checkRpFilter({ ifaces, rpFilters }: HostState): readonly Finding[] {
  return ifSeen(ifaces, ({ chosen, hardware }) => ifSeen(rpFilters, (filters) => {
    const bound = new Set(chosen.flatMap((one) => (one.kind === 'found' ? boundDevices(one.resolved.iface, hardware) : [])));
    return [...bound].flatMap((device) => {
      const others = hardware.netDevices.filter((other) => other !== device && shareNetwork(device, other)).map(({ name }) => name);
      const strict = Math.max(filters.get('all') ?? 0, filters.get(device.name) ?? 0) === STRICT;
      return strict && others.length > 0 ? [strictFinding(device.name, others)] : [];
    });
  }));
}

function strictFinding(name: string, others: readonly string[]): Finding {
  const message = `${name} shares a network with ${others.join(', ')}, and rp_filter is strict: the kernel may drop what the target answers to ${name}`;
  return finding('RP_FILTER_STRICT', message, `sysctl -w net/ipv4/conf/${name}/rp_filter=2`); // with slashes: a VLAN's name has a dot
}

function boundDevices({ transport, hwaddress, netIfacename }: Iface, { netDevices }: Hardware): readonly NetDevice[] {
  if (transport !== 'tcp') return [];
  const device = netDevices.find((candidate) => (netIfacename === undefined ? hwaddress !== undefined && candidate.hwaddress === hwaddress : candidate.name === netIfacename));
  return device === undefined ? [] : [device];
}

function shareNetwork(one: NetDevice, other: NetDevice): boolean {
  const addresses = other.addresses.filter((address) => isIP(address) === 4);
  return one.subnets.some((subnet) => addresses.some((address) => isInSubnet(address, subnet)));
}
