import type { Brand } from '../base/brand.js';
import { quoted } from '../base/quoted.js';

/** A logical unit number as the storage service counts it. */
export type Lun = Brand<number, 'Lun'>;

/** SAM-5, 4.7.7.3: flat space addressing has 14 bits. */
export const HIGHEST_LUN = 16_383;

/** @throws {RangeError} when the value is not a whole number, as number or text, from 0 to 16383 */
export function parseLun(value: unknown): Lun {
  const lun = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
  if (typeof lun !== 'number' || !Number.isInteger(lun) || lun < 0 || lun > HIGHEST_LUN) {
    throw new RangeError(`Cannot read ${quoted(value)} as a LUN: expected a whole number from 0 to ${HIGHEST_LUN}`);
  }
  return lun as Lun;
}
