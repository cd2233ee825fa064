import { isIP } from '../base/ip-address.js';
import { shellWords } from '../base/quoted.js';
import type { Hardware, NetDevice, RdmaPort, Verdict } from '../hardware/hardware.js';
import { isInSubnet, isLinkLocal, prefixOf } from '../hardware/subnet.js';
import type { Iface } from '../iface/iface.js';
import { boundDevices } from './source-addresses.js';

/**
 * Whether the local end of the way to the portal is there: for iSER an RDMA port that is active and on the portal's
 * network, for a bound tcp iface a device with an address that reaches beyond the wire. Only a network that is directly
 * connected tells where a portal is; behind a router, or on an InfiniBand port without a network device, it may be
 * anywhere, and that is no reason to refuse.
 */
export function verifyPath(iface: Iface, hardware: Hardware, portal: string | undefined): Verdict | undefined {
  switch (iface.transport) {
    case 'iser':
      return verifyRdma(hardware, portal);
    case 'tcp':
      return portal === undefined ? undefined : verifyAddressOf(boundDevices(iface, hardware), portal);
    default:
      return undefined; // an HBA has its own network stack, of which the kernel knows nothing
  }
}

function verifyRdma({ rdmaPorts, netDevices }: Hardware, portal: string | undefined): Verdict | undefined {
  if (rdmaPorts.length === 0)
    return { kind: 'unusable', code: 'NO_RDMA_PORT', reason: 'no RDMA device is in this host', hint: undefined };
  const near = portal === undefined ? [] : devicesNear(portal, netDevices);
  const ways =
    near.length === 0
      ? rdmaPorts
      : rdmaPorts.filter(
          ({ netdev }) => netdev === undefined || near.some((device) => standsOn(device, netdev, netDevices)),
        );
  if (ways.length === 0) {
    const reason =
      `the portal ${portal ?? ''} is on the network of ${near.map(({ name }) => name).join(', ')}, ` +
      `which has no RDMA port; there is ${rdmaPorts.map(describePort).join(', ')}`;
    return { kind: 'unusable', code: 'RDMA_PORT_ELSEWHERE', reason, hint: undefined };
  }
  if (ways.some(({ active }) => active)) return undefined;
  const down = ways.flatMap(({ netdev }) => netdev ?? [])[0];
  return {
    kind: 'unusable',
    code: 'RDMA_PORT_DOWN',
    reason: `no RDMA port that could reach it is active: ${ways.map(describePort).join(', ')}`,
    hint: down === undefined ? undefined : `ip link set ${shellWords(down)} up`,
  };
}

/**
 * The devices on whose own network the portal is: those with the longest prefix, as routes to connected networks have
 * it.
 */
function devicesNear(portal: string, netDevices: readonly NetDevice[]): readonly NetDevice[] {
  const reach = (device: NetDevice): number =>
    Math.max(-1, ...device.subnets.filter((subnet) => isInSubnet(portal, subnet)).map(prefixOf));
  const longest = Math.max(-1, ...netDevices.map(reach));
  return longest === -1 || isLinkLocal(portal) ? [] : netDevices.filter((device) => reach(device) === longest);
}

/** The device itself, a VLAN on it, a bond of it. */
function standsOn({ name, lower }: NetDevice, base: string, netDevices: readonly NetDevice[]): boolean {
  return (
    name === base ||
    lower.includes(base) ||
    netDevices.some((device) => lower.includes(device.name) && standsOn(device, base, netDevices))
  );
}

function verifyAddressOf(devices: readonly NetDevice[], portal: string): Verdict | undefined {
  const [device] = devices;
  const ownOf = ({ addresses }: NetDevice): readonly string[] =>
    addresses.filter((address) => isIP(address) === isIP(portal));
  if (
    device === undefined ||
    isLinkLocal(portal) ||
    !devices.every((one) => ownOf(one).length > 0 && ownOf(one).every(isLinkLocal))
  )
    return undefined;
  return {
    kind: 'unusable',
    code: 'LINK_LOCAL_ONLY',
    hint: `ip address add ADDRESS/PREFIX dev ${shellWords(device.name)}`,
    reason:
      `the network device ${device.name} has only link-local addresses (${ownOf(device).join(', ')}), which ` +
      `do not reach ${portal}`,
  };
}

function describePort({ device, port, active, netdev }: RdmaPort): string {
  return `port ${port} of ${device}${netdev === undefined ? '' : ` on ${netdev}`}, ${active ? 'active' : 'down'}`;
}
