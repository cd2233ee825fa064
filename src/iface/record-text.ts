import { quoted } from '../base/quoted.js';

/** A record of open-iscsi's database: key to value, in the order of the file. Keys without a value are not there. */
export type RecordValues = ReadonlyMap<string, string>;

/** Marks a record as this library's own, so that no other is ever removed. open-iscsi skips comments, and drops them when it rewrites a record. */
export const OWNER_COMMENT = 'Made by libvirt-volume-drivers';

/** What open-iscsi prints where there is no value (usr/idbm.c, usr/iface.c). */
const UNSET = new Set(['', '<empty>', '(null)', '<NULL>', 'default']);

/**
 * Reads the text of a record file, or what `iscsiadm -m node -o show` prints (usr/idbm.c, idbm_recinfo_config).
 * @throws {SyntaxError} that quotes the line it does not understand
 */
export function parseRecord(text: string): RecordValues {
  const values = new Map<string, string>();
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const [, key, value] = /^([A-Za-z][\w.[\]-]*)\s*=\s*(.*)$/s.exec(line) ?? [];
    if (key === undefined || value === undefined) throw new SyntaxError(`Cannot read the record line ${quoted(withoutSecret(line))}: expected "key = value"`);
    if (value !== '' && value !== '<empty>') values.set(key, value);
  }
  return values;
}

function withoutSecret(line: string): string {
  return line.replace(/(?<=password\w*).*$/is, ' …');
}

/**
 * The text of a record file, as open-iscsi writes it.
 * @param comments lines of our own; open-iscsi skips them and drops them when it rewrites the record
 * @throws {SyntaxError} when a value would be more than one line
 */
export function formatRecord(values: RecordValues, ...comments: readonly string[]): string {
  const lines = [...values].map(([key, value]) => {
    if (/[\r\n]/.test(value)) throw new SyntaxError(`Cannot write the record key ${key}: its value has more than one line`);
    return `${key} = ${value}`;
  });
  return ['# BEGIN RECORD', ...comments.map((comment) => `# ${comment}`), ...lines, '# END RECORD', ''].join('\n');
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
