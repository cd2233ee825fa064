import type { OddFile } from '../../iface/read-ifaces.js';
import type { OddLine } from '../../database/record-text.js';
import { ISCSID_CONFIGURATION } from '../../initiator/records/iscsid-defaults.js';
import { finding, type Finding } from '../finding.js';
import type { HostState } from '../host-state.js';

/** More lines than these are counted. */
const SHOWN = 5;

/**
 * Lines of open-iscsi's files that do not do what is written in them. One finding for a file: nothing fails for them
 * here, but an administrator meant something by each. What
 * cannot be read at all is told by the other checks.
 */
export function checkOddLines({ oddDefaults, records, ifaces }: HostState): readonly Finding[] {
  return [
    ...(oddDefaults.kind === 'seen' ? told({ path: ISCSID_CONFIGURATION, oddLines: oddDefaults.value }) : []),
    ...(records.kind === 'seen'
      ? records.value.flatMap((record) => told(record, record.content.kind === 'node' ? 'node' : undefined))
      : []),
    ...(ifaces.kind === 'seen' ? ifaces.value.inventory.odd.flatMap((file) => told(file, 'iface')) : []),
  ];
}

function told({ path, oddLines }: OddFile, mode?: 'node' | 'iface'): readonly Finding[] {
  if (oddLines.length === 0) return [];
  const shown = oddLines.slice(0, SHOWN).map(asText).join('; ');
  const more = oddLines.length > SHOWN ? `; and ${oddLines.length - SHOWN} more` : '';
  const list =
    mode !== undefined && oddLines.some(breaksList) ? `. Until that is mended "iscsiadm -m ${mode}" lists nothing` : '';
  return [
    finding(
      'LINE_NOT_UNDERSTOOD',
      `open-iscsi does not take all of ${path} as it stands there: ${shown}${more}${list}`,
    ),
  ];
}

/**
 * A key that it does not have, or a word that is none of a key's, ends the list of all records (libopeniscsiusr/idbm.c,
 * _idbm_rec_update_param); a login goes by usr/idbm.c.
 */
function breaksList({ effect }: OddLine): boolean {
  return effect === 'unknown' || effect === 'refused';
}

function asText({ number, key, effect, reason }: OddLine): string {
  const place = key === undefined ? `line ${number}` : `line ${number} (${key})`;
  return `${place}${effect === 'misread' ? '' : ' is passed over'}: ${reason}`;
}
