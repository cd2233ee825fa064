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

/** SAM-5, 4.7.7.3: the address method "flat space" is the bit 14 of the number the kernel shows. */
const FLAT_SPACE = 0x4000;

/**
 * How the array numbers its units on the wire (Cinder's `addressing_mode`), as a function from the storage service's
 * LUN to the kernel's. `SAM` and `transparent` change nothing, `SAM2` uses flat space from 256 on, `SAM3-flat` always.
 * @throws {SyntaxError} for any other name
 */
export function parseAddressingMode(value: unknown): (lun: Lun) => Lun {
  switch (value) {
    case 'SAM':
    case 'transparent':
      return (lun) => lun;
    case 'SAM2':
      return (lun) => (lun >= 256 ? flat(lun) : lun);
    case 'SAM3-flat':
      return flat;
    default:
      throw new SyntaxError(`expected SAM, transparent, SAM2 or SAM3-flat, not ${quoted(value)}`);
  }
}

function flat(lun: Lun): Lun {
  return (lun + FLAT_SPACE) as Lun;
}
