import { readRecordLines } from './record-lines.js';
import { parseRecord, type RecordValues, requireOneLine } from './record-text.js';

/**
 * The record with other values in it, and whatever else is in it as it was: comments, keys of another release, lines
 * that open-iscsi passes over. A value that
 * is there already is not written anew.
 * @param wanted what open-iscsi must read; what the record has besides is taken out
 * @throws {SyntaxError} when a value would be more than one line
 */
export function editRecord(text: string, wanted: RecordValues): string {
  const present = parseRecord(text);
  const changed = new Set([...present.keys(), ...wanted.keys()].filter((key) => present.get(key) !== wanted.get(key)));
  const lines = readRecordLines(text);
  const kept = lines.filter(({ content }) => content.kind !== 'assignment' || !changed.has(content.key));
  const added = [...changed].flatMap((key) => lineOf(key, wanted.get(key))).join('');
  // never behind a line that does not end
  const at = kept.findLastIndex(({ raw }) => raw.endsWith('\n') && !raw.startsWith('# END RECORD')) + 1;
  return [...kept.slice(0, at).map(({ raw }) => raw), added, ...kept.slice(at).map(({ raw }) => raw)].join('');
}

function lineOf(key: string, value: string | undefined): readonly string[] {
  if (value === undefined) return [];
  requireOneLine(key, value);
  return [`${key} = ${value}\n`];
}
