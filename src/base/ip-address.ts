const IPV4_PART = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^${IPV4_PART}(?:\\.${IPV4_PART}){3}$`);

/** @returns 4, 6, or 0 when the text is no IP address. A zone (`fe80::1%eth0`) is allowed. */
export function isIP(text: string): 0 | 4 | 6 {
  if (IPV4.test(text)) return 4;
  return groupsOf(withoutZone(text)) === undefined ? 0 : 6;
}

/** The one spelling of an address: IPv6 as RFC 5952 says (lower case, longest run of zeroes as `::`), host names in lower case. */
export function canonicalAddress(text: string): string {
  const bare = withoutZone(text);
  const groups = bare.includes(':') ? groupsOf(bare) : undefined;
  if (groups === undefined) return text.toLowerCase();
  return compress(groups) + text.slice(bare.length);
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
