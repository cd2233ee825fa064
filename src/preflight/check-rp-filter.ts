import { isIP } from '../base/ip-address.js';
import { shellWords } from '../base/quoted.js';
import type { Hardware, NetDevice } from '../hardware/hardware.js';
import type { ReversePath } from '../hardware/read-rp-filter.js';
import { networkOf, prefixOf } from '../hardware/subnet.js';
import type { Iface } from '../iface/iface.js';
import { boundDevices } from './source-addresses.js';

/** What the kernel's settings do to sessions over NICs that share a network. */
export interface ReversePathFinding {
  readonly code: 'REPLIES_DROPPED' | 'ARP_FLUX';
  /** The devices whose settings are meant. */
  readonly devices: readonly string[];
  /** One sentence for people. */
  readonly reason: string;
  /** One command; it lasts until the next boot. */
  readonly hint: string;
}

/**
 * Whether bound tcp ifaces can work on NICs that have an address in one and the same IPv4 network. The kernel has one
 * best route to that network, over one of the NICs, whichever socket is bound to which:
 * - strict `rp_filter` drops what comes in on the others, so that their logins time out (net/ipv4/fib_frontend.c,
 *   __fib_validate_source);
 * - with `arp_ignore` at 0 each NIC answers ARP for the addresses of the others, the target sends their packets to it,
 *   and a socket that is bound to
 *   another device never sees them (net/ipv4/arp.c, arp_ignore; include/net/inet_hashtables.h, inet_match).
 *
 * The scenario two-nics-in-one-network shows both, and that the commands mend them. Rules of policy routing for each
 * source address make strict filtering right, and `arp_filter` as good as `arp_ignore`. They cannot be read here: with
 * them the first finding is one too many, and its command does no harm. IPv6 has neither. What counts is the higher of
 * the device's value and that of `all`; for `arp_filter` either (include/linux/inetdevice.h, IN_DEV_RPFILTER,
 * IN_DEV_ARP_IGNORE, IN_DEV_ARPFILTER).
 * @param ifaces those that sessions go over
 */
export function checkReversePath(
  ifaces: readonly Iface[],
  hardware: Hardware,
  settings: ReversePath,
): readonly ReversePathFinding[] {
  const bound = new Set(
    ifaces.flatMap((iface) => (iface.transport === 'tcp' ? boundDevices(iface, hardware).map(({ name }) => name) : [])),
  );
  return sharedNetworks(hardware.netDevices).flatMap(({ network, names }) => {
    const affected = names.filter((name) => bound.has(name));
    return affected.length === 0
      ? []
      : [...dropped(network, names, affected, settings), ...flux(network, names, affected, settings)];
  });
}

interface SharedNetwork {
  readonly network: string;
  readonly names: readonly string[];
}

/** A network of one address is shared by nobody. */
function sharedNetworks(netDevices: readonly NetDevice[]): readonly SharedNetwork[] {
  const members = netDevices.flatMap(({ name, subnets }) =>
    subnets
      .filter((subnet) => isIP(subnet.replace(/\/.*$/, '')) === 4 && prefixOf(subnet) < 32)
      .map((subnet) => ({ name, network: networkOf(subnet) })),
  );
  const networks = [...new Set(members.map(({ network }) => network))];
  return networks
    .map((network) => ({
      network,
      names: [...new Set(members.filter((member) => member.network === network).map(({ name }) => name))],
    }))
    .filter(({ names }) => names.length > 1);
}

function dropped(
  network: string,
  names: readonly string[],
  affected: readonly string[],
  { all, devices }: ReversePath,
): readonly ReversePathFinding[] {
  const strict = affected.filter((name) => Math.max(all.rpFilter, devices.get(name)?.rpFilter ?? NaN) === 1);
  if (strict.length === 0) return [];
  const reason =
    `${names.join(' and ')} are in one network (${network}), and rp_filter is strict on ` +
    `${strict.join(' and ')}: the kernel drops replies that come in on another NIC than its route to ` +
    `${network} names, and logins over it time out`;
  return [{ code: 'REPLIES_DROPPED', devices: strict, reason, hint: sysctl(strict, 'rp_filter', 2) }];
}

function flux(
  network: string,
  names: readonly string[],
  affected: readonly string[],
  { all, devices }: ReversePath,
): readonly ReversePathFinding[] {
  const answering = names.filter((name) => {
    const own = devices.get(name);
    const answersForOthers =
      own !== undefined &&
      all.arpFilter === 0 &&
      own.arpFilter === 0 &&
      ![1, 2, 8].includes(Math.max(all.arpIgnore, own.arpIgnore));
    return answersForOthers && affected.some((other) => other !== name);
  });
  if (answering.length === 0) return [];
  const reason =
    `${names.join(' and ')} are in one network (${network}), and ${answering.join(' and ')} ` +
    `${answering.length === 1 ? 'answers' : 'answer'} ARP for the addresses of the other NICs: ` +
    'packets come in on a NIC that the session is not bound to, and are lost';
  return [
    {
      code: 'ARP_FLUX',
      devices: answering,
      reason,
      hint: sysctl(all.arpIgnore > 1 ? ['all', ...answering] : answering, 'arp_ignore', 1),
    },
  ];
}

/** sysctl(8): a dot in a device's name (`eth0.7`) is written as a slash. */
function sysctl(names: readonly string[], key: string, value: number): string {
  return (
    'sysctl -w ' + shellWords(...names.map((name) => `net.ipv4.conf.${name.replaceAll('.', '/')}.${key}=${value}`))
  );
}
