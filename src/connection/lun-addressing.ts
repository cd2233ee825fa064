import { quoted } from '../base/quoted.js';
import type { Lun } from './lun.js';

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
