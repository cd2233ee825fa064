import type { Brand } from '../base/brand.js';
import { quoted } from '../base/quoted.js';

/**
 * The world wide identity of a logical unit, as udev and multipath spell it: `3` + NAA, `2` + EUI-64, `1` + T10 vendor
 * id.
 */
export type Wwid = Brand<string, 'Wwid'>;

/** `3`, `2` or `1`, then what scsi_id prints: no blanks, nothing that ends a line or a path. */
const WWID = /^[123][\w.:+-]{1,255}$/;

/** @throws {SyntaxError} for text that is no WWID as udev and multipath spell it */
export function parseWwid(text: string): Wwid {
  if (WWID.test(text)) return text as Wwid;
  throw new SyntaxError(
    `Cannot read ${quoted(text)} as a WWID: expected 3 and an NAA id, 2 and an EUI-64, or 1 and a T10 vendor id`,
  );
}

const PREFIX: Readonly<Record<string, string>> = { naa: '3', eui: '2', t10: '1' };

/**
 * Reads the kernel's spelling of a designator (drivers/scsi/scsi_lib.c, scsi_vpd_lun_id: `naa.6001…`, `eui.…`,
 * `t10.…`). Blanks of a T10 id become `_`, as scsi_id writes them (systemd, udev/scsi_id).
 * @returns `undefined` for text of another form, or a designator of zeroes only
 */
export function parseSysfsWwid(text: string): Wwid | undefined {
  const [, type, id] = /^(naa|eui|t10)\.(.+)$/s.exec(text.trim()) ?? [];
  if (type === undefined || id === undefined || /^0+$/.test(id)) return undefined;
  const prefix = PREFIX[type] ?? '';
  return `${prefix}${type === 't10' ? id.trim().replaceAll(/\s+/g, '_') : id.toLowerCase()}` as Wwid;
}
