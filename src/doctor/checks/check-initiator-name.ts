import { quoted } from '../../base/quoted.js';
import { parseTargetName } from '../../connection/target-name.js';
import { finding, type Finding } from '../finding.js';
import type { HostState } from '../host-state.js';
import { ifSeen } from '../seen.js';

const FILE = '/etc/iscsi/initiatorname.iscsi';
/** iscsid reads the name when it starts. */
const MEND = `echo "InitiatorName=$(iscsi-iname)" > ${FILE} && systemctl restart iscsid`;

/** Whether this host has a name of its own, without which no target lets it in. */
export function checkInitiatorName({ initiatorName }: HostState): readonly Finding[] {
  return ifSeen(initiatorName, ({ text }) => [checkText(text)]);
}

/** The last line that counts is the one open-iscsi takes (utils/sysdeps, get_iscsi_initiatorname reads the file to its end). */
function checkText(text: string | undefined): Finding {
  if (text === undefined) return finding('INITIATOR_NAME_MISSING', `this host has no initiator name: there is no ${FILE}`, MEND);
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => !line.startsWith('#'));
  const name = lines.findLast((line) => line.startsWith('InitiatorName='))?.slice('InitiatorName='.length).trim();
  // Debian's package writes this for the first start of iscsid to replace (debian/open-iscsi.postinst, startup-checks.sh)
  if (name === undefined && lines.includes('GenerateName=yes')) return finding('INITIATOR_NAME_NOT_GENERATED', `this host has no initiator name yet: ${FILE} says GenerateName=yes`, MEND);
  if (name === undefined || name === '') return finding('INITIATOR_NAME_MISSING', `this host has no initiator name: ${FILE} has no InitiatorName=`, MEND);
  if (!isIscsiName(name)) return finding('INITIATOR_NAME_INVALID', `the initiator name ${quoted(name)} in ${FILE} is no iSCSI name: expected iqn.…, eui.… or naa.…`, MEND);
  return finding('INITIATOR_NAME_SET', `this host is ${name}`);
}

function isIscsiName(text: string): boolean {
  try {
    return parseTargetName(text) === text;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
