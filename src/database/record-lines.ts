import { decodeText, encodeText } from '../base/byte-text.js';
import { keyType } from './record-keys.js';

/** One line of a file that open-iscsi reads, in the way it reads it. */
export interface RecordLine {
  /** As an editor counts, from 1. */
  readonly number: number;
  /** To the byte, with its line break where it has one. */
  readonly raw: string;
  readonly content: LineContent;
}

export type LineContent =
  /** A blank line or a comment. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'assignment'; readonly key: string; readonly value: string }
  /** Passed over with a warning of iscsiadm. */
  | { readonly kind: 'passed-over'; readonly key: string | undefined; readonly reason: string };

/** `char buffer[2048]`, less the terminator: what is longer is read as several lines. */
const LONGEST_READ = 2_047;
/**
 * NAME_MAXVAL of usr/idbm.h, less the terminator. open-iscsi writes past its buffer where a key is longer, and has no
 * such key.
 */
const LONGEST_KEY = 127;
/** isspace() of the C locale, which open-iscsi never leaves. */
const BLANKS_AROUND = /^[\t-\r ]+|[\t-\r ]+$/g;
const BLANKS_BEFORE = /^[\t-\r ]+/;

const NOTHING: LineContent = { kind: 'nothing' };

/**
 * The lines of a record file or of iscsid.conf, by the rules of open-iscsi (usr/idbm.c, idbm_recinfo_config; the same
 * in libopeniscsiusr/idbm.c,
 * _idbm_recs_read; 2.0.870 to 2.1.11): a comment begins a line and never stands behind a value, the line ends with a
 * line break, and `=` has a blank before it.
 * The raw lines, put together, are the text.
 */
export function readRecordLines(text: string): readonly RecordLine[] {
  const bytes = Buffer.from(encodeText(text)).toString('latin1');
  const lines = bytes.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return lines.flatMap((line, index) =>
    readsOf(line).map((read) => ({ number: index + 1, raw: asText(read), content: contentOf(read) })),
  );
}

/** fgets() gives a long line in several pieces, of which each is taken for a line. */
function readsOf(line: string): readonly string[] {
  return line.length <= LONGEST_READ ? [line] : (line.match(new RegExp(`[^]{1,${LONGEST_READ}}`, 'g')) ?? []);
}

function contentOf(read: string): LineContent {
  const [seen = ''] = read.split('\0', 1);
  const line = seen.replaceAll(BLANKS_AROUND, '');
  if (!seen.endsWith('\n')) return read === seen && isNothing(line) ? NOTHING : passedOver(unended(read));
  return isNothing(line) ? NOTHING : assignmentOf(line);
}

function isNothing(line: string): boolean {
  return line === '' || line.startsWith('#');
}

function unended(read: string): string {
  if (read.includes('\0')) return 'it has a NUL byte';
  return read.length === LONGEST_READ
    ? `it is longer than ${LONGEST_READ - 1} bytes`
    : 'it is the last line and has no line break at its end';
}

function assignmentOf(line: string): LineContent {
  const [key = ''] = /^[^\t-\r =]*/.exec(line) ?? [];
  if (key === '') return passedOver('nothing stands before its "="');
  if (key.length > LONGEST_KEY) return passedOver(`its first word is longer than ${LONGEST_KEY} bytes`);
  const shown = shownKey(key);
  const separator = line[key.length];
  const rest = line.slice(key.length + 1).replace(BLANKS_BEFORE, '');
  if (separator === undefined) return passedOver('it has no "="', shown);
  if (rest === '') return passedOver('it has no value', shown);
  if (!rest.startsWith('='))
    return passedOver(
      separator === '=' ? 'it has no blank before its "="' : 'it has no "=" behind its first word',
      shown,
    );
  const value = rest.slice(1).replace(BLANKS_BEFORE, '');
  if (value === '') return passedOver('it has no value', shown);
  return { kind: 'assignment', key: asText(key), value: asText(value) };
}

/** What of a line may be told: never a part of a secret, which may stand anywhere in a line that is not understood. */
export function shownKey(key: string): string | undefined {
  return keyType(key) !== undefined ||
    (/^(?:node|discovery|iface|iscsid|isns)\.[\w.[\]-]{1,80}$/.test(key) && !/password/i.test(key))
    ? key
    : undefined;
}

function passedOver(reason: string, key?: string): LineContent {
  return { kind: 'passed-over', key, reason };
}

function asText(bytes: string): string {
  return decodeText(Buffer.from(bytes, 'latin1'));
}
