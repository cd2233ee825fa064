import { VolumeError } from '../../base/volume-error.js';
import type { ListedConnection } from '../../connection/iscsi-connection.js';
import { requireFindable } from '../../volume/require-findable.js';

/**
 * What can be known of two volumes before anything is touched that forbids to swap one for the other.
 * @throws {VolumeError} `CONNECTION_INFO_INVALID` naming the key; `USAGE` when both are one volume
 */
export function requireSwappable(from: ListedConnection, to: ListedConnection): void {
  for (const [which, { encrypted, multiattach }] of [
    ['old', from],
    ['new', to],
  ] as const) {
    // QEMU would copy what the guest sees, and put plain data on the new volume or hide the header of the old one. nova
    // refuses it too (virt/libvirt/driver.py, swap_volume).
    if (encrypted)
      throw refused(
        'data.encrypted',
        `the ${which} volume is encrypted`,
        'detach it and attach the other one: a guest copies what it sees, which is not what the volume holds',
      );
    if (multiattach)
      throw refused(
        'multiattach',
        `the ${which} volume is for several guests`,
        'detach it and attach the other one: what another guest writes meanwhile would not be copied',
      );
  }
  if (to.readonly) throw refused('data.access_mode', 'the new volume is read-only', 'have it exported for writing');
  requireFindable('swap to', to, { type: 'disk' });
  if (from.paths.some(({ target, lun }) => to.paths.some((path) => path.target === target && path.lun === lun))) {
    throw new VolumeError(
      'USAGE',
      `Cannot swap a volume for itself: both are LUN ${from.paths[0].lun} of ${from.paths[0].target}`,
    );
  }
}

function refused(key: string, why: string, hint: string): VolumeError {
  return new VolumeError('CONNECTION_INFO_INVALID', `Cannot swap the volumes: ${why}`, { hint, details: { key } });
}
