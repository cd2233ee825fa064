const [NEWLINE, RETURN] = [10, 13];

/** Without the one line end that editors and `echo` put behind a text. */
export function withoutFinalNewline(bytes: Uint8Array): Uint8Array {
  if (bytes.at(-1) !== NEWLINE) return bytes;
  return bytes.subarray(0, bytes.at(-2) === RETURN ? -2 : -1);
}
