import { isVolumeError } from '../base/volume-error.js';
import type { IscsiConnection } from '../connection/iscsi-connection.js';
import { type DiskMatch, findGuestDisk } from '../guest/guest-disk.js';
import type { GuestDisks } from '../guest/guest-disks.js';
import type { VolumeSecrets } from '../guest/volume-secrets.js';
import type { HeldVolumes } from '../volume/held-volumes.js';
import type { DisconnectOptions, ReleasedVolume } from '../volume/released-volume.js';

/** A guest that has let go of the volume. */
export interface LeftGuest {
  /** Whether it had the volume until a moment ago. */
  readonly inGuest: boolean;
  readonly match: DiskMatch;
  /** The guest's own name, where its stored description still has the volume: it is no other guest. */
  readonly own?: string;
}

export interface ReleaseParts {
  readonly guestDisks: GuestDisks;
  readonly secrets: VolumeSecrets;
}

/**
 * The host's part of a detach, with the secret. The last guest out takes a shared volume along, by what libvirt's
 * guests have and not by a counter. Each looks under the target's lock and once its own guest has let go: of two that
 * leave at the same time the later one finds nobody, and a guest that comes meanwhile is seen.
 */
export async function releaseAfterGuest(
  { inGuest, match, own }: LeftGuest,
  {
    connection,
    options,
    held,
  }: { readonly connection: IscsiConnection; readonly options: DisconnectOptions; readonly held: HeldVolumes },
  { guestDisks, secrets }: ReleaseParts,
  signal: AbortSignal,
): Promise<ReleasedVolume> {
  const guests = connection.multiattach
    ? await guestDisks.guestsWith((disk) => findGuestDisk([disk], match) !== undefined, signal)
    : [];
  const others = guests.filter((name) => name !== own);
  if (others.length > 0)
    return {
      found: inGuest,
      warnings: [`the volume stays on this host for the guests that have it too: ${others.join(', ')}`],
    };
  if (connection.encrypted && connection.volumeId !== undefined) await secrets.withdraw(connection.volumeId, signal);
  try {
    const released = await held.release(connection, options, signal);
    return { ...released, found: released.found || inGuest };
  } catch (error) {
    if (!inGuest || !connection.multiattach || !isVolumeError(error, 'DEVICE_IN_USE')) throw error;
    return { found: true, warnings: [`the volume stays on this host for others: ${error.message}`] };
  }
}
