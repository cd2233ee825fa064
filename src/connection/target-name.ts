import type { Brand } from '../base/brand.js';
import { quoted } from '../base/quoted.js';

/** An iSCSI name: `iqn.…`, `eui.…` or `naa.…` (RFC 7143, 4.2.7). It becomes a path of open-iscsi's database and an argument, so it is strict. */
export type TargetName = Brand<string, 'TargetName'>;

/** RFC 7143, 4.2.7.1: at most 223 bytes. */
const LONGEST_NAME = 223;
/** RFC 3722 allows letters, digits, `-`, `.` and `:`; targets in use also have `_` and, in the text after the first colon, `+`, `=`, `@`, `,` and `~`. */
const IQN = /^iqn\.\d{4}-(?:0[1-9]|1[0-2])\.[a-z0-9][a-z0-9.-]*(?::[\w.:+=@,~-]*)?$/i;
const EUI = /^eui\.[0-9a-f]{16}$/i;
const NAA = /^naa\.(?:[0-9a-f]{16}|[0-9a-f]{32})$/i;

/** @throws {SyntaxError} when the text is not an iSCSI name, or holds `..` */
export function parseTargetName(text: string): TargetName {
  const wellFormed = (IQN.test(text) || EUI.test(text) || NAA.test(text)) && !text.includes('..') && text.length <= LONGEST_NAME;
  if (!wellFormed) {
    throw new SyntaxError(`Cannot read ${quoted(text)} as an iSCSI target name: expected the form iqn.2010-10.org.openstack:volume-1`);
  }
  return text as TargetName;
}
