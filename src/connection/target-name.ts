import type { Brand } from '../base/brand.js';
import { quoted } from '../base/quoted.js';

/**
 * A target's iSCSI name (RFC 7143, 4.2.7), in the spelling that was given: open-iscsi and targets compare it byte by
 * byte.
 */
export type TargetName = Brand<string, 'TargetName'>;

/** RFC 7143, 4.2.7.1: at most 223 bytes. open-iscsi has room for 254, a folder's name for 255. */
const LONGEST_NAME = 223;

/**
 * A name is a folder's name, an argument, a line of a record and a word of what iscsiadm prints. Each of these says
 * what it must not hold.
 */
const UNSAFE: readonly (readonly [RegExp, string])[] = [
  [/[/\\]/, 'a slash, which would lead out of its folder'],
  [/\.\./, '"..", which would lead out of its folder'],
  [/^[-.]/, '"-" or "." in front, which makes an option or a hidden file of it'],
  [/[\p{Z}\p{C}\uFFFD]/u, 'a blank or a character that is not seen, at which open-iscsi cuts it'],
  [/[%*?[\]]/, 'one of % * ? [ ], which open-iscsi takes for a pattern (usr/idbm.c, idbm_rec_write_old)'],
  [/["'`<>&]/, 'a quote, "<", ">" or "&", which are markup'],
];

/**
 * `iqn.`, `eui.` and `naa.` as the RFC has them, with `_` and, behind the colon, `+`, `=`, `@`, `,` and `~`, which are
 * in use.
 */
const IQN = /^iqn\.\d{4}-(?:0[1-9]|1[0-2])\.[a-z0-9][\w.-]*(?::[\w.:+=@,~-]*)?$/i;
const EUI = /^eui\.[0-9a-f]{16}$/i;
const NAA = /^naa\.(?:[0-9a-f]{16}|[0-9a-f]{32})$/i;

/**
 * Whatever open-iscsi takes is taken, but for what is unsafe in one of the places where the name goes: targets in the
 * field have names that the RFC does not
 * know (LIO makes `iqn.2003-01.org.linux-iscsi.iron_man.x8664:sn.x` of the host name iron_man; tgt and SCST take any).
 * @throws {SyntaxError} that says what is unsafe
 */
export function parseTargetName(text: string): TargetName {
  const problem = problemOf(text);
  if (problem !== undefined) {
    throw new SyntaxError(
      `Cannot read ${quoted(text)} as an iSCSI target name: it ${problem}; expected the form ` +
        'iqn.2010-10.org.openstack:volume-1',
    );
  }
  return text as TargetName;
}

function problemOf(text: string): string | undefined {
  if (text === '') return 'is empty';
  const length = new TextEncoder().encode(text).length;
  if (length > LONGEST_NAME) return `has ${length} bytes, more than ${LONGEST_NAME}`;
  const unsafe = UNSAFE.find(([pattern]) => pattern.test(text));
  return unsafe === undefined ? undefined : `has ${unsafe[1]}`;
}

/** Whether the name is of a form that every target knows: for an initiator's own, which a target may check. */
export function isStandardName(text: string): boolean {
  return (IQN.test(text) || EUI.test(text) || NAA.test(text)) && problemOf(text) === undefined;
}
