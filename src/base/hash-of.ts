/** FNV-1a, 64 bits, in base 36: for names that must be short and the same on every host. No secret is safe in it. */
export function hashOf(text: string): string {
  const hash = [...new TextEncoder().encode(text)].reduce(
    (state, byte) => BigInt.asUintN(64, (state ^ BigInt(byte)) * 0x100000001b3n),
    0xcbf29ce484222325n,
  );
  return hash.toString(36);
}
