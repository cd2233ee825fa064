import { digest } from '../../base/digest.js';
import { asTable, textOf } from '../../base/json-fields.js';
import { editRecord } from '../../database/edit-record.js';
import { parseRecord, type RecordValues } from '../../database/record-text.js';

/**
 * A record of an administrator that has our settings for the time of a login: what it takes to give it back, also when
 * this process does not live to do it. No secret of ours can be read out of it: it has digests of what was written.
 */
export interface LentRecord {
  /** The file in open-iscsi's database. */
  readonly path: string;
  /** As it was, to the byte. */
  readonly before: string;
  /** The text that was written, as a digest. */
  readonly given: string;
  /** Each key that was changed: the digest of the value that it was given, or `null` where it was taken out. */
  readonly changed: Readonly<Record<string, string | null>>;
}

const VERSION = 1;

/**
 * @param text what is written
 * @param values what open-iscsi will read: the secret among them, where iscsiadm itself writes that
 */
export function lentRecord(path: string, before: string, text: string, values: RecordValues): LentRecord {
  const old = parseRecord(before);
  const keys = [...new Set([...old.keys(), ...values.keys()])].filter((key) => old.get(key) !== values.get(key));
  const changed = keys.map((key): [string, string | null] => {
    const value = values.get(key);
    return [key, value === undefined ? null : digest(path, key, value)];
  });
  return { path, before, given: digest(path, text), changed: Object.fromEntries(changed) };
}

/**
 * The record as its administrator has it. Where it is what was written, that is what it was before. Where somebody has
 * written to it since, theirs stays, and each value that is still ours goes.
 */
export function givenBack(now: string, { path, before, given, changed }: LentRecord): string {
  if (digest(path, now) === given) return before;
  const [values, old] = [parseRecord(now), parseRecord(before)];
  const wanted = new Map(values);
  for (const [key, ours] of Object.entries(changed)) {
    const value = values.get(key);
    if ((value === undefined ? null : digest(path, key, value)) !== ours) continue;
    const theirs = old.get(key);
    if (theirs === undefined) wanted.delete(key);
    else wanted.set(key, theirs);
  }
  return editRecord(now, wanted);
}

/** The target whose lock guards the record, by its folder: the text may name none. */
export function targetOfLent({ path }: LentRecord): string | undefined {
  return /\/nodes\/([^/]+)\//.exec(path)?.[1];
}

export function formatLentRecord(record: LentRecord): string {
  return `${JSON.stringify({ version: VERSION, ...record }, undefined, 2)}\n`;
}

/**
 * Reads what formatLentRecord() wrote, and believes nothing.
 * @throws {SyntaxError} that says what is wrong with it
 */
export function parseLentRecord(text: string): LentRecord {
  const file = asTable(JSON.parse(text), 'the file');
  if (file['version'] !== VERSION) throw new SyntaxError(`version is not ${VERSION}`);
  const changed = Object.entries(asTable(file['changed'], 'changed')).map(([key, value]): [string, string | null] => {
    if (value !== null && typeof value !== 'string') throw new SyntaxError(`changed.${key} is not a text`);
    return [key, value];
  });
  return {
    path: textOf(file, 'path'),
    before: textOf(file, 'before'),
    given: textOf(file, 'given'),
    changed: Object.fromEntries(changed),
  };
}
