import { shellWords } from '../base/quoted.js';

/**
 * Commands for root's shell that lose nothing, also when they are pasted an hour later: nothing is written over, and
 * nothing is removed that has anything in it.
 */

/**
 * Out of the database, where every file counts for a record, to root's own folder under the name of its whole path.
 * Never over a file that is there.
 */
export function putAside(path: string): string {
  return `mv -nvT -- ${shellWords(path, `/root/${path.slice(1).replaceAll('/', '_')}`)}`;
}

/** Only if it still has not one byte. */
export function removeIfEmpty(path: string): string {
  return `find ${shellWords(path)} -maxdepth 0 -type f -empty -delete`;
}
