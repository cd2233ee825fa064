/**
 * A value as an error message shows it: JSON, cut after 80 characters, so that a newline or a quote cannot pass for the
 * message's own.
 */
export function quoted(value: unknown): string {
  const text = asJson(value) ?? typeof value;
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}

function asJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined; // a cycle, or a bigint: no JSON
  }
}

/** The words as one line of a shell: quoted where the shell would read anything else than the word. */
export function shellWords(...words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`))
    .join(' ');
}
