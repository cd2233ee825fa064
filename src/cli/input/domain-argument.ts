import { VolumeError } from '../../base/volume-error.js';
import { type DomainRef, parseDomainRef } from '../../libvirt/libvirt.js';

/** @throws {VolumeError} `USAGE` when the text names no domain */
export function domainArgument(text: string): DomainRef {
  try {
    return parseDomainRef(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new VolumeError('USAGE', error.message);
    throw error;
  }
}
