import { decodeText } from '../base/byte-text.js';
import type { FileSystem } from '../host/file-system.js';

/**
 * The whole text of a file of open-iscsi's, with its last line break: open-iscsi does not take a line without one. What
 * is no UTF-8 comes back to the byte.
 */
export async function readRecordText(files: FileSystem, path: string): Promise<string | undefined> {
  const bytes = await files.readBytes(path);
  return bytes === undefined ? undefined : decodeText(bytes);
}
