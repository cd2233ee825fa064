import { canonicalAddress, isIP } from '../base/ip-address.js';

/** Whether the address is in the network of `10.98.0.1/24`. */
export function isInSubnet(address: string, subnet: string): boolean {
  const slash = subnet.lastIndexOf('/');
  const own = subnet.slice(0, slash);
  if (isIP(address) === 0 || isIP(address) !== isIP(own)) return false;
  const hostBits = BigInt((isIP(own) === 4 ? 32 : 128) - prefixOf(subnet));
  return bitsOf(address) >> hostBits === bitsOf(own) >> hostBits;
}

/** The bits of its network: the more, the nearer. */
export function prefixOf(subnet: string): number {
  return Number(subnet.slice(subnet.lastIndexOf('/') + 1));
}

/** The network itself: `10.98.0.0/24` of `10.98.0.1/24`. The same text for all its addresses. */
export function networkOf(subnet: string): string {
  const own = subnet.slice(0, subnet.lastIndexOf('/'));
  const [bits, width] = isIP(own) === 4 ? [32n, 8n] : [128n, 16n];
  const hostBits = bits - BigInt(prefixOf(subnet));
  const network = (bitsOf(own) >> hostBits) << hostBits;
  const parts = Array.from({ length: Number(bits / width) }, (_unused, index) =>
    BigInt.asUintN(Number(width), network >> (bits - width * BigInt(index + 1))),
  );
  const address = width === 8n ? parts.join('.') : canonicalAddress(parts.map((part) => part.toString(16)).join(':'));
  return `${address}/${prefixOf(subnet)}`;
}

/** Link-local addresses reach no further than the wire (RFC 4291, 2.5.6; RFC 3927). */
export function isLinkLocal(address: string): boolean {
  return isIP(address) === 4 ? isInSubnet(address, '169.254.0.0/16') : isInSubnet(address, 'fe80::/10');
}

function bitsOf(address: string): bigint {
  if (isIP(address) === 4) return address.split('.').reduce((bits, part) => (bits << 8n) + BigInt(part), 0n);
  const [head = '', tail] = canonicalAddress(address).replace(/%.*$/, '').split('::');
  const groups = (text: string | undefined): readonly string[] =>
    text === undefined || text === '' ? [] : text.split(':');
  const zeroes = Array.from({ length: 8 - groups(head).length - groups(tail).length }, () => '0');
  return [...groups(head), ...zeroes, ...groups(tail)].reduce(
    (bits, group) => (bits << 16n) + BigInt(`0x${group}`),
    0n,
  );
}
