import { decodeText, encodeText } from '../base/byte-text.js';

/** iscsid's own file, which it reads when it starts. */
export const INITIATOR_NAME_FILE = '/etc/iscsi/initiatorname.iscsi';

/**
 * A name for a host whose file is not there or has nothing in it, for root's shell. iscsid reads it when it starts. A
 * file with something in it is never written to: the storage may know the host by it.
 */
export const GIVE_INITIATOR_NAME =
  `[ -s ${INITIATOR_NAME_FILE} ] || echo "InitiatorName=$(iscsi-iname)" >> ${INITIATOR_NAME_FILE}` +
  ' && systemctl restart iscsid';

/** The line that iscsid takes the host's name from. */
export interface InitiatorNameLine {
  /** As an editor counts, from 1. */
  readonly number: number;
  readonly name: string;
}

/** `char buffer[1024]`, less the terminator: what is longer is read as several lines. */
const LONGEST_READ = 1_023;
const KEY = 'InitiatorName';

/**
 * The initiator's name as iscsid reads it (usr/iscsi_util.c, cfg_get_string_param; the same from 2.0.873 to 2.1.11): of
 * the first line with `InitiatorName`
 * anywhere in it, not behind a `#`, and with something behind the next `=`, all of that but the blanks at both ends. A
 * `#` behind the name is a part of it, and a `;` is no comment.
 * @returns `undefined` when no line gives one
 */
export function initiatorNameLine(text: string): InitiatorNameLine | undefined {
  const lines =
    Buffer.from(encodeText(text))
      .toString('latin1')
      .match(/[^\n]*\n|[^\n]+$/g) ?? [];
  for (const [index, line] of lines.entries()) {
    for (const read of line.match(new RegExp(`[^]{1,${LONGEST_READ}}`, 'g')) ?? []) {
      const name = nameOf(read);
      if (name !== undefined) return { number: index + 1, name: decodeText(Buffer.from(name, 'latin1')) };
    }
  }
  return undefined;
}

/** The name alone. */
export function initiatorNameIn(text: string): string | undefined {
  return initiatorNameLine(text)?.name;
}

function nameOf(read: string): string | undefined {
  const [line = ''] = read.split('\0', 1);
  const key = line.indexOf(KEY);
  const comment = line.indexOf('#');
  const equals = line.indexOf('=', key);
  if (key === -1 || equals === -1 || (comment !== -1 && comment < key)) return undefined;
  const value = line.slice(equals + 1).replaceAll(/^[\t-\r ]+|[\t-\r ]+$/g, '');
  return value === '' ? undefined : value;
}
