/** Stands for every address of a host, and is none to connect to (RFC 1122, 3.2.1.3; RFC 4291, 2.5.2). */
const UNSPECIFIED = new Set(['0.0.0.0', '::']);

/**
 * The address of a portal that a target announced, as this host can use it. A target that listens at all its addresses
 * may announce the unspecified one: of them all the one that answered the discovery is known. A link-local address is
 * good on one link only (RFC 4291, 2.5.6), which its zone names; the target cannot know this host's name for it, so it
 * is that of the discovery when that went over such a link.
 * @param asked the address that answered the discovery
 * @returns `undefined` when nothing says which link is meant
 */
export function reachableAddress(announced: string, asked: string): string | undefined {
  if (UNSPECIFIED.has(announced)) return asked;
  const [bare = announced] = announced.split('%');
  if (!/^fe[89ab][0-9a-f]:/i.test(bare)) return announced;
  const zone = asked.includes('%') ? asked.slice(asked.indexOf('%')) : undefined;
  return zone === undefined ? undefined : `${bare}${zone}`;
}
