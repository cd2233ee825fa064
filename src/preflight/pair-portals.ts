import { isIP } from '../base/ip-address.js';
import type { Hardware, UnusableCode } from '../hardware/hardware.js';
import type { Iface } from '../iface/iface.js';
import { type LocalEnd, localEnd } from './local-end.js';
import { isInSubnet } from '../hardware/subnet.js';
import { verifyPath } from './verify-path.js';

/** A way to go: from this iface to that portal. */
export interface PathPair<Portal> {
  readonly iface: Iface;
  readonly portal: Portal;
}

/** A way not to go. */
export interface LeftOutPath<Portal> extends PathPair<Portal> {
  /**
   * `OTHER_FAMILY`: one end has IPv4 alone and the other is IPv6. `OTHER_NETWORK`: another iface of the list is on the
   * portal's own network. Or what verifyPath() says.
   */
  readonly code: UnusableCode | 'OTHER_FAMILY' | 'OTHER_NETWORK';
  /** One sentence for people. */
  readonly reason: string;
}

/**
 * Every iface with every portal, each once, in one list or the other. Ordered by portal, and in a portal by iface, as
 * they were given.
 */
export interface PairedPaths<Portal> {
  readonly pairs: readonly PathPair<Portal>[];
  readonly leftOut: readonly LeftOutPath<Portal>[];
}

/**
 * Which ifaces are to open a session to which portals, where there are several of both. open-iscsi makes a record of
 * every iface to every portal of a target (usr/idbm.c, idbm_bind_ifaces_to_nodes), and leaves it to people to delete
 * those that lead nowhere. A login over such a one costs the whole login timeout: over IPv4 a socket bound to a device
 * that has no route to the portal is not refused, the kernel takes the portal to be on that device's wire and asks for
 * it there by ARP (net/ipv4/route.c, ip_route_output_key_hash_rcu).
 *
 * So an iface is left out for a portal
 * - when its addresses are all of the other family;
 * - when verifyPath() says that it cannot reach it;
 * - when it is on other networks, and another iface of the list is on the portal's own. Where none is, the portal is
 *   behind a router, and all may reach it.
 *
 * An iface whose networks are not known (`default`, `iser`, an HBA that does not say) may reach everything. A portal by
 * name may be anywhere.
 */
export function pairPaths<Portal extends { readonly address: string }>(
  ifaces: readonly Iface[],
  portals: readonly Portal[],
  hardware: Hardware,
): PairedPaths<Portal> {
  const ends = ifaces.map((iface) => ({ iface, end: localEnd(iface, hardware) }));
  const judged = portals.flatMap((portal) => {
    const ways = ends.map(({ iface, end }) => ({
      iface,
      portal,
      end,
      refusal: refusalOf(iface, end, portal.address, hardware),
    }));
    const near = ways.find(
      ({ end, refusal }) => refusal === undefined && placeOf(end, portal.address) === 'own-network',
    );
    return ways.map(({ iface, end, refusal }) => ({
      iface,
      portal,
      refusal: refusal ?? (near === undefined ? undefined : farther(end, portal.address, near)),
    }));
  });
  return {
    pairs: judged.flatMap(({ iface, portal, refusal }) => (refusal === undefined ? [{ iface, portal }] : [])),
    leftOut: judged.flatMap(({ iface, portal, refusal }) =>
      refusal === undefined ? [] : [{ iface, portal, ...refusal }],
    ),
  };
}

type Refusal = Pick<LeftOutPath<never>, 'code' | 'reason'>;

function refusalOf(
  iface: Iface,
  { device, families }: LocalEnd,
  address: string,
  hardware: Hardware,
): Refusal | undefined {
  const family = isIP(address);
  if (family !== 0 && families?.includes(family) === false) {
    return {
      code: 'OTHER_FAMILY',
      reason:
        `the portal ${address} is IPv${family}, and the iface ${iface.name} has no address of that ` +
        `family${device === undefined ? '' : ` on ${device}`}`,
    };
  }
  const zone = zoneOf(address);
  if (zone !== undefined && device !== undefined && device !== zone) {
    // net/ipv6/tcp_ipv6.c, tcp_v6_connect: EINVAL
    return {
      code: 'OTHER_NETWORK',
      reason: `the portal ${address} is on the wire of ${zone}, and the iface ${iface.name} is bound to ${device}`,
    };
  }
  const verdict = verifyPath(iface, hardware, address);
  return verdict?.kind === 'unusable' ? { code: verdict.code, reason: verdict.reason } : undefined;
}

function farther(
  end: LocalEnd,
  address: string,
  near: { readonly iface: Iface; readonly end: LocalEnd },
): Refusal | undefined {
  if (placeOf(end, address) !== 'other-network') return undefined;
  const theirs = networksOf(near.end, address)
    .filter((network) => isInSubnet(address, network))
    .join(', ');
  return {
    code: 'OTHER_NETWORK',
    reason:
      `the portal ${address} is on the network of the iface ${near.iface.name} (${theirs}); this one is on ` +
      networksOf(end, address).join(', '),
  };
}

function placeOf(end: LocalEnd, address: string): 'own-network' | 'other-network' | 'unknown' {
  const networks = networksOf(end, address);
  if (networks.length === 0) return 'unknown';
  return networks.some((network) => isInSubnet(address, network)) ? 'own-network' : 'other-network';
}

/** Those that could have the portal: the networks of its family. */
function networksOf({ networks }: LocalEnd, address: string): readonly string[] {
  return networks.filter((network) => isIP(network.slice(0, network.lastIndexOf('/'))) === isIP(address));
}

/** The device that a link-local address names: `eth1` of `fe80::1%eth1`. */
function zoneOf(address: string): string | undefined {
  const at = address.indexOf('%');
  return at === -1 ? undefined : address.slice(at + 1);
}
