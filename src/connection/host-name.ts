import type { Brand } from '../base/brand.js';
import { quoted } from '../base/quoted.js';

/** A host's name in lower case (RFC 952 and RFC 1123, 2.1). */
export type HostName = Brand<string, 'HostName'>;

/** RFC 1035, 2.3.4, in its printed form. */
const LONGEST_NAME = 253;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** @throws {SyntaxError} when the text is no host name; one whose last part is a number would be read as an address */
export function parseHostName(text: string): HostName {
  const name = text.toLowerCase();
  const labels = name.split('.');
  if (name.length > LONGEST_NAME || !labels.every((label) => LABEL.test(label)) || /^\d+$/.test(labels.at(-1) ?? '')) {
    throw new SyntaxError(
      `Cannot read ${quoted(text)} as a host name: expected letters, digits and "-" between dots, such as ` +
        'storage-1.example.org',
    );
  }
  return name as HostName;
}

/**
 * A host name as somebody gave it to open-iscsi, which takes any that the resolver knows: with `_` in it, or with the
 * dot that ends an absolute one (RFC 1034, 3.1).
 * @throws {SyntaxError} when the text could not be one
 */
export function parseRecordedHostName(text: string): HostName {
  const name = text.toLowerCase().replace(/\.$/, '');
  return name.includes('_') && /^[a-z0-9_.-]+$/.test(name) ? (name as HostName) : parseHostName(name);
}
