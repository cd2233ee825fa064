import { networkInterfaces } from 'node:os';
import { canonicalAddress } from '../../base/ip-address.js';
import type { NetAddress, NetAddresses } from '../net-addresses.js';

/** getifaddrs(3), without a process. */
export const SYSTEM_NET_ADDRESSES: NetAddresses = {
  list: () =>
    Object.entries(networkInterfaces()).flatMap(([label, addresses = []]) =>
      addresses.map(({ address, cidr }): NetAddress => ({
        // An IPv4 address may carry a label, "eth0:1" (ip-address(8)); a device's name has no colon.
        netdev: label.replace(/:.*$/, ''),
        address: canonicalAddress(address.replace(/%.*$/, '')),
        prefix: prefixOf(cidr),
      })),
    ),
};

/** `null` where the netmask is no prefix. */
function prefixOf(cidr: string | null): number | undefined {
  return cidr === null ? undefined : Number(cidr.slice(cidr.lastIndexOf('/') + 1));
}
