const IPV4_PART = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^${IPV4_PART}(?:\\.${IPV4_PART}){3}$`);

/** @returns 4, 6, or 0 when the text is no IP address. A zone (`fe80::1%eth0`) is allowed. */
export function isIP(text: string): 0 | 4 | 6 {
  if (IPV4.test(text)) return 4;
  return groupsOf(withoutZone(text)) === undefined ? 0 : 6;
}

/**
 * The one spelling of an address: IPv6 as RFC 5952 says (lower case, longest run of zeroes as `::`), host names in
 * lower case.
 */
export function canonicalAddress(text: string): string {
  const bare = withoutZone(text);
  const groups = bare.includes(':') ? groupsOf(bare) : undefined;
  if (groups === undefined) return text.toLowerCase();
  return compress(groups) + text.slice(bare.length);
}

/**
 * Where a connection to the address goes: canonical, and IPv4 for an IPv4-mapped IPv6 address (`::ffff:192.0.2.1`; RFC
 * 4291, 2.5.5.2), to which a
 * socket connects over IPv4 (Linux, net/ipv6/tcp_ipv6.c, tcp_v6_connect).
 */
export function endpointAddress(text: string): string {
  const groups = text.includes(':') && !text.includes('%') ? groupsOf(text) : undefined;
  const [high = 0, low = 0] = groups?.slice(6) ?? [];
  const isMapped = groups?.slice(0, 5).every((group) => group === 0) === true && groups[5] === 0xffff;
  return isMapped ? [high >> 8, high & 255, low >> 8, low & 255].join('.') : canonicalAddress(text);
}

/**
 * The address that getaddrinfo(3) reads in a text without asking a resolver, canonical. It takes IPv4 as inet_aton(3)
 * does: one to four parts, each
 * decimal, octal (`010`) or hexadecimal (`0x0a`), the last one filling what is left.
 * @returns `undefined` when the text is a name, or nothing
 */
export function numericAddress(text: string): string | undefined {
  if (isIP(text) !== 0) return canonicalAddress(text);
  const parts = text.split('.');
  if (parts.length > 4 || !parts.every((part) => /^(?:0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i.test(part))) return undefined;
  const numbers = parts.map((part) => (/^0[0-7]+$/.test(part) ? Number.parseInt(part, 8) : Number(part)));
  const [last = 0, bytes] = [numbers.at(-1), numbers.slice(0, -1)];
  if (bytes.some((byte) => byte > 255) || last >= 256 ** (4 - bytes.length)) return undefined;
  const rest = Array.from(
    { length: 4 - bytes.length },
    (_unused, index) => Math.floor(last / 256 ** (3 - bytes.length - index)) % 256,
  );
  return [...bytes, ...rest].join('.');
}

/**
 * The same IPv6 address in hexadecimal groups alone, where its spelling ends with an IPv4 address; any other text as it
 * is.
 */
export function withoutEmbeddedIPv4(text: string): string {
  return isIP(text) === 6 ? embeddedIPv4AsGroups(withoutZone(text)) + text.slice(withoutZone(text).length) : text;
}

function withoutZone(text: string): string {
  const zone = text.indexOf('%');
  return zone === -1 ? text : text.slice(0, zone);
}

/** The eight 16-bit groups of an IPv6 address, or `undefined`. */
function groupsOf(text: string): readonly number[] | undefined {
  const halves = embeddedIPv4AsGroups(text).split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const given = [...(head ?? []), ...(tail ?? [])];
  if (!given.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  if (tail === undefined ? given.length !== 8 : given.length > 7) return undefined;
  const zeroes = Array.from({ length: 8 - given.length }, () => '0');
  return [...(head ?? []), ...zeroes, ...(tail ?? [])].map((group) => Number.parseInt(group, 16));
}

function embeddedIPv4AsGroups(text: string): string {
  const last = text.slice(text.lastIndexOf(':') + 1);
  if (!text.includes(':') || !IPV4.test(last)) return text;
  const [a = 0, b = 0, c = 0, d = 0] = last.split('.').map(Number);
  return `${text.slice(0, -last.length)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function compress(groups: readonly number[]): string {
  const run = longestRunOfZeroes(groups);
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (run.length < 2) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

function longestRunOfZeroes(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
