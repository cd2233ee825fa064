import type { IscsiConnection } from '../connection/iscsi-connection.js';

/** Whose locks a call about the connection holds. */
export function targetsOf({ paths }: IscsiConnection): readonly string[] {
  return [...new Set(paths.map(({ target }) => target))];
}

/** Which addresses the names of portals had is a part of the result. */
export function noted<Result extends { readonly warnings: readonly string[] }>(
  result: Result,
  notes: readonly string[],
): Result {
  return notes.length === 0 ? result : { ...result, warnings: [...notes, ...result.warnings] };
}
