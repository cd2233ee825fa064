import { parseJson } from './parse-json.js';

/**
 * Reads the JSON files that a command names, a byte order mark at the start or not.
 * @param readBytes what `inputReader` gives
 * @throws {VolumeError} `USAGE` when the file cannot be read, or is not JSON
 */
export function jsonReader(readBytes: (file: string) => Promise<Uint8Array>): (file: string) => Promise<unknown> {
  return async (file) => parseJson(new TextDecoder().decode(await readBytes(file)), file === '-' ? 'stdin' : file);
}
