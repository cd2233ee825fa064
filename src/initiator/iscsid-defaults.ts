import type { FileSystem } from '../host/file-system.js';
import { readRecordFile } from '../iface/read-record-file.js';
import type { RecordValues } from '../iface/record-text.js';

const CONFIGURATION = '/etc/iscsi/iscsid.conf';

/** The administrator's defaults for new records: `node.` and `discovery.` lines, each as a record holds it. @throws {VolumeError} `DATABASE_FAILED` that quotes a line it cannot read */
export async function readIscsidDefaults(files: FileSystem): Promise<RecordValues> {
  const text = await files.readText(CONFIGURATION);
  return text === undefined ? new Map() : readRecordFile(CONFIGURATION, text);
}
