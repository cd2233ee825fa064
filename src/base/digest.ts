import { createHash } from 'node:crypto';

/** SHA-256 over the parts, each told from the next, in hexadecimal. */
export function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
