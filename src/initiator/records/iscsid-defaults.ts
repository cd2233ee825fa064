import { parseRecord, readRecordText, type RecordValues } from '../../database/record-text.js';
import type { FileSystem } from '../../host/file-system.js';

/**
 * open-iscsi's own configuration: its defaults for new records (`node.`, `discovery.`), and what iscsid itself goes by
 * (`iscsid.`).
 */
export const ISCSID_CONFIGURATION = '/etc/iscsi/iscsid.conf';

/**
 * The administrator's defaults for new records, as open-iscsi takes them (usr/idbm.c, idbm_sync_config): a line that it
 * passes over is no default.
 */
export async function readIscsidDefaults(files: FileSystem): Promise<RecordValues> {
  return parseRecord((await readRecordText(files, ISCSID_CONFIGURATION)) ?? '');
}
