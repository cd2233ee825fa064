import { decodeText } from '../base/byte-text.js';
import type { FileSystem } from '../host/file-system.js';
import { keyType } from './record-keys.js';
import { readRecordLines, shownKey } from './record-lines.js';
import { takeValue } from './record-value.js';

/** A record of open-iscsi's database: key to value, in the order of the file. Keys without a value are not there. */
export type RecordValues = ReadonlyMap<string, string>;

/**
 * Marks a record as this library's own, so that no other is ever removed. open-iscsi skips comments, and drops them
 * when it rewrites a record.
 */
export const OWNER_COMMENT = 'Made by libvirt-volume-drivers';

/** What open-iscsi prints where there is no value (usr/idbm.c, usr/iface.c). */
const UNSET = new Set(['', '<empty>', '(null)', '<NULL>', 'default']);

/** A line of which open-iscsi makes something else than stands there. */
export interface OddLine {
  /** As an editor counts, from 1. */
  readonly number: number;
  /** The key, where it can be told. */
  readonly key: string | undefined;
  /**
   * `ignored`: open-iscsi passes over it. `refused`: so it does, as the value is none of the key's words. `misread`: it
   * takes another value than is written. `unknown`: it has no such key.
   */
  readonly effect: 'ignored' | 'refused' | 'misread' | 'unknown';
  /** Why, for people: `it has no blank before its "="`. No secret is in it. */
  readonly reason: string;
}

/** What open-iscsi makes of a file of its own. */
export interface ParsedRecord {
  readonly values: RecordValues;
  readonly oddLines: readonly OddLine[];
}

/**
 * Reads the text of a record file or of iscsid.conf as open-iscsi does (usr/idbm.c, idbm_recinfo_config and
 * idbm_rec_update_param): a line that it passes over
 * is passed over, of two lines with one key the last that it takes counts, and a value is what it makes of it. The
 * value of a key that it does not have is as it is written.
 * @param text with its last line break: open-iscsi does not take a line without one
 */
export function readRecord(text: string): ParsedRecord {
  const values = new Map<string, string>();
  const oddLines: OddLine[] = [];
  for (const { number, content } of readRecordLines(text)) {
    if (content.kind === 'passed-over')
      oddLines.push({ number, key: content.key, effect: 'ignored', reason: content.reason });
    if (content.kind !== 'assignment') continue;
    const { key, value } = content;
    const type = keyType(key);
    const taken = type === undefined ? { value } : takeValue(type, value);
    if (type === undefined) oddLines.push(...unknownKey(number, key));
    else if (taken.oddness !== undefined)
      oddLines.push({ number, key, effect: taken.value === undefined ? 'refused' : 'misread', reason: taken.oddness });
    if (taken.value === '') values.delete(key);
    else if (taken.value !== undefined) values.set(key, taken.value);
  }
  return { values, oddLines };
}

/** What the record says; `readRecord` tells of its odd lines as well. */
export function parseRecord(text: string): RecordValues {
  return readRecord(text).values;
}

/** Keys such as `iscsid.startup` and `isns.address` are for others to read. */
function unknownKey(number: number, key: string): readonly OddLine[] {
  return /^(?:iscsid|isns)\./.test(key)
    ? []
    : [{ number, key: shownKey(key), effect: 'unknown', reason: 'open-iscsi has no such key' }];
}

/**
 * The text of a record file, as open-iscsi writes it.
 * @param comments lines of our own; open-iscsi skips them and drops them when it rewrites the record
 * @throws {SyntaxError} when a value would be more than one line
 */
export function formatRecord(values: RecordValues, ...comments: readonly string[]): string {
  const lines = [...values].map(([key, value]) => {
    requireOneLine(key, value);
    return `${key} = ${value}`;
  });
  return ['# BEGIN RECORD', ...comments.map((comment) => `# ${comment}`), ...lines, '# END RECORD', ''].join('\n');
}

/**
 * @throws {SyntaxError} when the value would be more than one line of a record, or less (usr/idbm.c reads no further
 * than a NUL byte)
 */
export function requireOneLine(key: string, value: string): void {
  if (/[\r\n\0]/.test(value))
    throw new SyntaxError(`Cannot write the record key ${key}: its value has more than one line`);
}

/** Whether the record says that this library made it: a line of its own, not a part of one. */
export function isOurs(text: string): boolean {
  return text.split('\n').includes(`# ${OWNER_COMMENT}`);
}

/** The value, unless it is one of the words that stand for none. */
export function valueOf(record: RecordValues, key: string): string | undefined {
  const value = record.get(key);
  return value === undefined || isUnset(value) ? undefined : value;
}

/** Whether open-iscsi, or a driver in sysfs, prints this for "no value". */
export function isUnset(value: string): boolean {
  return UNSET.has(value);
}

/**
 * The whole text of a file of open-iscsi's, with its last line break: open-iscsi does not take a line without one. What
 * is no UTF-8 comes back to the byte.
 */
export async function readRecordText(files: FileSystem, path: string): Promise<string | undefined> {
  const bytes = await files.readBytes(path);
  return bytes === undefined ? undefined : decodeText(bytes);
}
