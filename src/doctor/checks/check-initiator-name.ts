import { quoted } from '../../base/quoted.js';
import { isStandardName } from '../../connection/target-name.js';
import { initiatorNameIn } from '../../initiator/initiator-name-in.js';
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

function checkText(text: string | undefined): Finding {
  if (text === undefined) return finding('INITIATOR_NAME_MISSING', `this host has no initiator name: there is no ${FILE}`, MEND);
  const name = initiatorNameIn(text);
  // Debian's package writes this for the first start of iscsid to replace (debian/open-iscsi.postinst, startup-checks.sh)
  if (name === undefined && /^\s*GenerateName=yes\s*$/m.test(text)) return finding('INITIATOR_NAME_NOT_GENERATED', `this host has no initiator name yet: ${FILE} says GenerateName=yes`, MEND);
  if (name === undefined) return finding('INITIATOR_NAME_MISSING', `this host has no initiator name: ${FILE} has no InitiatorName=`, MEND);
  if (!isStandardName(name)) return finding('INITIATOR_NAME_INVALID', `the initiator name ${quoted(name)} in ${FILE} is no iSCSI name: expected iqn.…, eui.… or naa.…`, MEND);
  return finding('INITIATOR_NAME_SET', `this host is ${name}`);
}
