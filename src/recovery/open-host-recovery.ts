import type { GuestDisks } from '../guest/guest-disks.js';
import { VolumeSecrets } from '../guest/volume-secrets.js';
import { DiscoveryDatabase } from '../initiator/discovery/discovery-database.js';
import type { Libvirt } from '../libvirt/libvirt.js';
import { HostVolumes, type HostVolumesParts } from '../volume/host-volumes.js';
import { VolumeNotes } from '../volume/notes/volume-notes.js';
import { HostReconciler } from './host-reconciler.js';
import type { HostRecovery } from './host-recovery.js';

/** What the drivers work with. */
export interface HostRecoveryParts extends HostVolumesParts {
  readonly libvirt: Libvirt;
  readonly guestDisks: GuestDisks;
}

export function openHostRecovery(parts: HostRecoveryParts): HostRecovery {
  const { options } = parts;
  return new HostReconciler({
    ...parts,
    volumes: new HostVolumes(parts, options.iscsiIface),
    notes: new VolumeNotes({ ...parts, stateDirectory: options.stateDirectory }),
    secrets: new VolumeSecrets(parts),
    discoveries: new DiscoveryDatabase(parts),
  });
}
