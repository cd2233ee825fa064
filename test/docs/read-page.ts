import { readFileSync } from 'node:fs';

/** A page of this repository, its tables without the blanks that line their columns up. */
export function readPage(file: string): string {
  return readFileSync(file, 'utf8').replaceAll(/^\|.*\|$/gm, (row) => row.replaceAll(/ {2,}\|/g, ' |'));
}
