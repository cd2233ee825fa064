import { VolumeError } from '../../base/volume-error.js';

/**
 * Reads JSON, and says where it stops being that. What the text holds is never quoted: a connection_info holds
 * passwords, and the messages of `JSON.parse` show the text around the place.
 * @throws {VolumeError} `USAGE` with line and column
 */
export function parseJson(text: string, origin: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const { line, column } = positionOf(text, errorOffset(text));
    throw new VolumeError(
      'USAGE',
      `Cannot read ${origin} as JSON: ${isBegunJson(text) ? 'the text ends too early, at' : 'it goes wrong at'} ` +
        `line ${line}, column ${column}`,
      {
        details: { file: origin, line, column },
      },
    );
  }
}

/**
 * The first character that no JSON can have there: the shortest beginning of the text that is not the beginning of any
 * JSON.
 */
function errorOffset(text: string): number {
  let [good, bad] = [0, text.length + 1];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (isBegunJson(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return good;
}

/** Whether more text could make it JSON: then V8 complains about the end of the text. */
function isBegunJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const message = String(error);
    const [, position] = / at position (\d+)/.exec(message) ?? [];
    return position === undefined ? message.includes('Unexpected end of JSON input') : Number(position) >= text.length;
  }
}

function positionOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}
