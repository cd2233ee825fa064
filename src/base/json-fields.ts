/** Fields of a JSON document that another program, a newer version or a full disk may have written. */
export type JsonTable = Readonly<Record<string, unknown>>;

/** @throws {SyntaxError} that says what `name` is not */
export function asTable(value: unknown, name: string): JsonTable {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SyntaxError(`${name} is not an object`);
  return Object.fromEntries(Object.entries(value));
}

/** @throws {SyntaxError} that says what `name` is not */
export function asList(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new SyntaxError(`${name} is not a list`);
  return value;
}

/** @throws {SyntaxError} when the field is no text */
export function textOf(table: JsonTable, key: string): string {
  const value = table[key];
  if (typeof value !== 'string') throw new SyntaxError(`${key} is not a text`);
  return value;
}
