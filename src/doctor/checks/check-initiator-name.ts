import { quoted } from '../../base/quoted.js';
import { isStandardName } from '../../connection/target-name.js';
import {
  GIVE_INITIATOR_NAME,
  INITIATOR_NAME_FILE as FILE,
  initiatorNameLine,
} from '../../initiator/initiator-name-in.js';
import { finding, type Finding } from '../finding.js';
import type { HostState } from '../host-state.js';
import { packageFamily } from '../package-command.js';
import { ifSeen } from '../seen.js';

const HOW_TO_GET_ONE = 'iscsi-iname makes a name, if the storage does not know this host by one';
const DEBIANS_CHECK = "with blanks there Debian's iscsid.service does not start again";

/**
 * Whether this host has a name of its own, without which no target lets it in. A file with something in it is never for
 * a command to write to: the storage may know this host by it.
 */
export function checkInitiatorName({ initiatorName, openIscsi: { osRelease } }: HostState): readonly Finding[] {
  return ifSeen(initiatorName, ({ text }) => [checkText(text, packageFamily(osRelease) === 'debian')]);
}

function checkText(text: string | undefined, isDebian: boolean): Finding {
  if (text === undefined)
    return finding(
      'INITIATOR_NAME_MISSING',
      `this host has no initiator name: there is no ${FILE}`,
      GIVE_INITIATOR_NAME,
    );
  if (text === '')
    return finding('INITIATOR_NAME_MISSING', `this host has no initiator name: ${FILE} is empty`, GIVE_INITIATOR_NAME);
  const line = initiatorNameLine(text);
  if (line === undefined) return nameless(text, isDebian);
  const { number, name } = line;
  if (!isStandardName(name))
    return finding(
      'INITIATOR_NAME_INVALID',
      `the initiator name ${quoted(name)} in line ${number} of ${FILE} is no iSCSI name: ${whatWouldBe(name)}`,
    );
  return finding('INITIATOR_NAME_SET', `this host is ${name}${isDebian ? refusedByDebian(text) : ''}`);
}

/**
 * Debian's package writes `GenerateName=yes` for the first start of iscsid to replace (debian/open-iscsi.postinst,
 * startup-checks.sh).
 */
function nameless(text: string, isDebian: boolean): Finding {
  const generates = /^GenerateName=yes/m.test(text);
  if (generates)
    return finding(
      'INITIATOR_NAME_NOT_GENERATED',
      `this host has no initiator name yet: ${FILE} says GenerateName=yes`,
      isDebian ? 'systemctl restart iscsid' : undefined,
    );
  const near = text.split('\n').findIndex((line) => /^[^#]*initiator_?name/i.test(line)) + 1;
  const where = near === 0 ? 'has no InitiatorName=' : `says something else than InitiatorName=NAME in line ${near}`;
  return finding('INITIATOR_NAME_MISSING', `this host has no initiator name: ${FILE} ${where}. ${HOW_TO_GET_ONE}`);
}

/** What stands behind the name is a part of it for iscsid. */
function whatWouldBe(name: string): string {
  const [first = '', ...rest] = name.split(/[\s#"']+/).filter((part) => part !== '');
  return isStandardName(first)
    ? `expected ${first} alone, without ${rest.length > 0 ? 'a comment behind it' : 'quotes'}`
    : 'expected iqn.…, eui.… or naa.…';
}

/**
 * iscsid reads such a line, but Debian's unit does not start it (startup-checks.sh wants `^InitiatorName=[^ \t\n]`).
 */
function refusedByDebian(text: string): string {
  return /^InitiatorName=[^ \t\n]/m.test(text)
    ? ''
    : `; in ${FILE} write InitiatorName= at the begin of its line and the name right behind it: ${DEBIANS_CHECK}`;
}
