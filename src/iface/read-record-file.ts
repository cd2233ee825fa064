import { VolumeError } from '../base/volume-error.js';
import { parseRecord, type RecordValues } from './record-text.js';

/** What a file of open-iscsi's database says. @throws {VolumeError} `DATABASE_FAILED` that names the file, and the line it cannot read */
export function readRecordFile(path: string, text: string): RecordValues {
  try {
    return parseRecord(text);
  } catch (error) {
    throw new VolumeError('DATABASE_FAILED', `Cannot use ${path}`, { cause: error, hint: 'mend the line, or remove the file' });
  }
}
