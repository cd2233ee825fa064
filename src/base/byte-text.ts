/**
 * Text of a file that is UTF-8 as a rule and must come back to the byte: a byte that is no part of a UTF-8 sequence
 * becomes a lone surrogate, U+DC80
 * to U+DCFF, and is that byte again when the text is encoded (Python's `surrogateescape`, PEP 383).
 */
export function decodeText(bytes: Uint8Array): string {
  const byteString = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return byteString.replaceAll(SEQUENCE_OR_BYTE, (found) =>
    found.length > 1
      ? Buffer.from(found, 'latin1').toString('utf8')
      : String.fromCharCode(ESCAPED + found.charCodeAt(0)),
  );
}

/** The bytes that `decodeText` made the text of. */
export function encodeText(text: string): Uint8Array {
  if (!LONE_SURROGATE.test(text)) return Buffer.from(text, 'utf8');
  return Buffer.concat(
    text
      .split(LONE_SURROGATE)
      .map((part, index) => (index % 2 === 0 ? Buffer.from(part, 'utf8') : Buffer.of(part.charCodeAt(0) - ESCAPED))),
  );
}

const ESCAPED = 0xdc00;
/** A whole sequence of more than one byte (RFC 3629, 4), or a byte that begins none. */
const SEQUENCE_OR_BYTE = new RegExp(
  [
    /[\xc2-\xdf][\x80-\xbf]/,
    /\xe0[\xa0-\xbf][\x80-\xbf]/,
    /[\xe1-\xec\xee\xef][\x80-\xbf]{2}/,
    /\xed[\x80-\x9f][\x80-\xbf]/,
    /\xf0[\x90-\xbf][\x80-\xbf]{2}/,
    /[\xf1-\xf3][\x80-\xbf]{3}/,
    /\xf4[\x80-\x8f][\x80-\xbf]{2}/,
    /[\x80-\xff]/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
);
/** With the flag `u` a surrogate of a pair does not match. */
const LONE_SURROGATE = /([\udc80-\udcff])/u;
