import { throwIfAborted } from '../../src/base/aborted.js';
import { VolumeError } from '../../src/base/volume-error.js';
import type { HostNames } from '../../src/host/host-names.js';

/** A resolver whose names come, move and go. */
export class FakeHostNames implements HostNames {
  readonly addresses: Map<string, readonly string[]>;

  /** @param addresses a host's own, where its open-iscsi is to ask the same resolver */
  constructor(addresses = new Map<string, readonly string[]>()) {
    this.addresses = addresses;
  }

  async lookup(name: string, signal: AbortSignal): Promise<readonly string[]> {
    throwIfAborted(signal);
    const found = this.addresses.get(name);
    if (found === undefined)
      throw new VolumeError('PORTAL_UNREACHABLE', `Cannot resolve the host name ${name}: it has no address`);
    return found;
  }
}
