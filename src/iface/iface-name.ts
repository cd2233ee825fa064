import type { Brand } from '../base/brand.js';
import { quoted } from '../base/quoted.js';

/** The name of an open-iscsi iface record. It becomes a file name and an argument, so it is strict. */
export type IfaceName = Brand<string, 'IfaceName'>;

/** At most 65 bytes with the terminator (open-iscsi, usr/config.h, `ISCSI_MAX_IFACE_LEN`). */
const IFACE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._:-]{0,63}$/;

/** @throws {SyntaxError} when the text could leave the ifaces directory, or be read as an option */
export function parseIfaceName(text: string): IfaceName {
  if (!IFACE_NAME.test(text) || text.includes('..')) {
    throw new SyntaxError(
      `Cannot read ${quoted(text)} as an iface name: expected 1 to 64 letters, digits or . _ : - and no ".."`,
    );
  }
  return text as IfaceName;
}

/** Built in: software TCP over whatever route the host has (open-iscsi, usr/iface.c). */
export const DEFAULT_IFACE = parseIfaceName('default');
/** Built in: iSCSI over RDMA. */
export const ISER_IFACE = parseIfaceName('iser');
