import { quoted } from '../../base/quoted.js';
import type { BlockJob, Domain, ListedDomain, SecretUsage } from '../libvirt.js';

/**
 * `virsh dominfo`, in English.
 * @throws {SyntaxError} when a field is missing
 */
export function parseDomainInfo(text: string): Domain {
  const fields = new Map(
    [...text.matchAll(/^([^:\n]+):[ \t]*(.*)$/gm)].map(([, key = '', value = '']) => [key, value]),
  );
  const field = (key: string): string => {
    const value = fields.get(key);
    if (value === undefined) throw new SyntaxError(`Cannot read virsh dominfo: no "${key}" in ${quoted(text)}`);
    return value;
  };
  return {
    name: field('Name'),
    uuid: field('UUID'),
    active: field('Id') !== '-',
    persistent: field('Persistent') === 'yes',
  };
}

/**
 * `virsh list --all --uuid --name`: a line for each guest, the name as it is, blanks and all; an empty one at the end.
 */
export function parseDomainList(text: string): readonly ListedDomain[] {
  return linesOf(text)
    .filter((line) => line !== '')
    .map((line) => ({ name: line.slice(UUID_LENGTH + 1), uuid: line.slice(0, UUID_LENGTH) }));
}

/**
 * `virsh blockjob --raw`: one `key=value` on a line, and nothing where there is no job.
 * @throws {SyntaxError} when a field is missing
 */
export function parseBlockJob(text: string): BlockJob | undefined {
  if (text.trim() === '') return undefined;
  const [, type] = /^ *type=(.+?)\r?$/m.exec(text) ?? [];
  const [, copied] = /^ *cur=(\d+)\r?$/m.exec(text) ?? [];
  const [, total] = /^ *end=(\d+)\r?$/m.exec(text) ?? [];
  if (type === undefined || copied === undefined || total === undefined)
    throw new SyntaxError(`Cannot read virsh blockjob: no type, cur or end in ${quoted(text)}`);
  return { kind: type === 'Block Copy' ? 'copy' : 'other', copiedBytes: Number(copied), totalBytes: Number(total) };
}

/** `virsh secret-list`. @returns the UUID of the secret of that usage */
export function parseSecretList(text: string, { type, id }: SecretUsage): string | undefined {
  return linesOf(text)
    .map((line) => /^\s*([0-9a-f-]{36})\s+(\S+) (.*)$/.exec(line))
    .find((match) => match?.[2] === type && match[3]?.trimEnd() === id)?.[1];
}

/**
 * `virsh secret-define`.
 * @throws {SyntaxError} when no UUID is told
 */
export function parseSecretDefined(text: string): string {
  const uuid = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/.exec(text)?.[0];
  if (uuid === undefined) throw new SyntaxError(`Cannot read virsh secret-define: no UUID in ${quoted(text)}`);
  return uuid;
}

const UUID_LENGTH = 36;

function linesOf(text: string): readonly string[] {
  return text.split('\n').map((line) => line.replace(/\r$/, ''));
}
