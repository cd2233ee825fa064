import { canonicalAddress, numericAddress } from '../../src/base/ip-address.js';

/** Names and what the resolver says of them. */
export type Names = ReadonlyMap<string, readonly string[]>;

/**
 * How open-iscsi takes `-p` apart (usr/iscsi_util.c, str_to_ipport): with a dot anywhere in it, brackets are not looked
 * for.
 */
export function splitPortal(operand: string): { readonly address: string; readonly port: number } | undefined {
  const [withPort = ''] = operand.split(',');
  if (!withPort.includes('.') && withPort.startsWith('[')) {
    const end = withPort.indexOf(']');
    return end === -1 ? undefined : { address: withPort.slice(1, end), port: portOf(withPort.slice(end + 1)) };
  }
  const first = withPort.indexOf(':');
  if (first === -1 || (!withPort.includes('.') && withPort.includes(':', first + 1)))
    return { address: withPort, port: 3260 };
  return { address: withPort.slice(0, first), port: portOf(withPort.slice(first)) };
}

function portOf(text: string): number {
  return text.startsWith(':') ? Number.parseInt(text.slice(1), 10) || 0 : 3260;
}

/** getaddrinfo(3): the first address of the list. An IPv4-mapped IPv6 address stays IPv6. */
export function firstAddress(text: string, names: Names): string | undefined {
  const found = numericAddress(text) ?? names.get(text.toLowerCase().replace(/\.$/, ''))?.[0];
  return found === undefined ? undefined : canonicalAddress(found);
}

/**
 * Whether open-iscsi takes the two for one: the same text, or the same first address (usr/iscsi_util.c,
 * iscsi_addr_match).
 */
export function addressesMatch(one: string, other: string, names: Names): boolean {
  if (one === '' || one === other) return true;
  const address = firstAddress(one, names);
  return address !== undefined && address === firstAddress(other, names);
}

/**
 * As the kernel prints the address of a connection: all eight groups, and no zone (Linux, drivers/scsi/libiscsi.c,
 * iscsi_conn_get_addr_param: `%pI6`).
 */
export function kernelAddress(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = canonicalAddress(address).replace(/%.*$/, '').split('::');
  const groups = (half: string | undefined): readonly string[] =>
    half === undefined || half === '' ? [] : half.split(':');
  const zeroes = Array.from({ length: 8 - groups(head).length - groups(tail).length }, () => '0');
  return [...groups(head), ...zeroes, ...groups(tail)].map((group) => group.padStart(4, '0')).join(':');
}
