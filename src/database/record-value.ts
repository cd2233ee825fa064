import { decodeText, encodeText } from '../base/byte-text.js';
import { quoted } from '../base/quoted.js';
import type { KeyType } from './record-keys.js';

/** What open-iscsi makes of a value. */
export interface TakenValue {
  /** As open-iscsi would print it; `undefined` where it keeps what it had. */
  readonly value: string | undefined;
  /** Why it is not what was written; absent where it is. */
  readonly oddness?: string;
}

/** VALUE_MAXVAL of usr/idbm.h, less the terminator: open-iscsi writes no more of a value into a record. */
const LONGEST_PRINTED = 255;

/**
 * The value of a key as open-iscsi takes it (usr/idbm.c, idbm_rec_update_param): `12 # twelve` is 12, and `0x10` is 0.
 */
export function takeValue(type: KeyType, value: string): TakenValue {
  switch (type.kind) {
    case 'text':
      return takeText(value, Math.min(type.bytes - 1, LONGEST_PRINTED));
    case 'number':
      return takeNumber(value, type);
    case 'choice':
      return type.words.includes(value)
        ? { value }
        : { value: undefined, oddness: `${quoted(value)} is none of ${type.words.join(', ')}` };
    case 'list':
      return takeList(value, type.words);
    default:
      return type satisfies never;
  }
}

/** The value may be a secret: it is not quoted. */
function takeText(value: string, room: number): TakenValue {
  const bytes = encodeText(value);
  if (bytes.length > room)
    return { value: decodeText(bytes.subarray(0, room)), oddness: `its value is cut to ${room} bytes` };
  return value === '<empty>'
    ? { value, oddness: '<empty> is how iscsiadm shows that there is no value; in a file it is one' }
    : { value };
}

/** strtoul(3): blanks, a sign, digits, whatever follows; more than 64 bits are the largest number there is. */
function takeNumber(value: string, { bits, signed }: Extract<KeyType, { readonly kind: 'number' }>): TakenValue {
  const [, sign = '', digits = '0'] = /^[\t-\r ]*([+-]?)(\d+)/.exec(value) ?? [];
  const magnitude = BigInt(digits);
  const long = magnitude >= 1n << 64n ? (1n << 64n) - 1n : BigInt.asUintN(64, sign === '-' ? -magnitude : magnitude);
  const taken = String(signed ? BigInt.asIntN(bits, long) : BigInt.asUintN(bits, long));
  const plain = /^[+-]?\d+$/.test(value) && BigInt(value.replace('+', '')) === BigInt(taken);
  return plain ? { value: taken } : { value: taken, oddness: `${quoted(value)} is read as ${taken}` };
}

/**
 * strsep(3) at commas and blanks. Where no word is left the list is empty, and is printed as a key that is not there.
 */
function takeList(value: string, words: readonly string[]): TakenValue {
  const given = value.split(/[, \n]/).filter((word) => word !== '');
  const taken = [...new Set(given)].filter((word) => words.includes(word));
  const unknown = given.filter((word) => !words.includes(word));
  return {
    value: taken.join(','),
    ...(unknown.length === 0 ? {} : { oddness: `${unknown.map(quoted).join(' and ')} is none of ${words.join(', ')}` }),
  };
}
