import type { Logger } from '../base/logger.js';
import type { VolumeOptions } from '../config/options.js';
import type { Portal } from '../connection/portal.js';
import type { LinuxBlockDevices } from '../device/linux-block-devices.js';
import type { MultipathMaps } from '../device/multipath/multipath-maps.js';
import type { VolumeEvents } from '../events/volume-events.js';
import type { Clock } from '../host/clock.js';
import type { FileSystem } from '../host/file-system.js';
import type { HostNames } from '../host/host-names.js';
import type { Locks } from '../host/locks.js';
import type { NetAddresses } from '../host/net-addresses.js';
import type { IfaceRecords } from '../iface/make-iface.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import type { PortalSearch } from '../initiator/discovery/discover-portals.js';
import type { OpenIscsiInitiator } from '../initiator/open-iscsi-initiator.js';
import type { GuestDisks } from '../guest/guest-disks.js';
import type { Libvirt } from '../libvirt/libvirt.js';

/** All that a driver works with. */
export interface DriverParts {
  readonly initiator: OpenIscsiInitiator;
  readonly devices: LinuxBlockDevices;
  readonly maps: MultipathMaps;
  readonly libvirt: Libvirt;
  readonly guestDisks: GuestDisks;
  readonly locks: Locks;
  readonly files: FileSystem;
  readonly database: OpenIscsiDatabase;
  readonly ifaceRecords: IfaceRecords;
  readonly clock: Clock;
  readonly netAddresses: NetAddresses;
  readonly hostNames: HostNames;
  readonly discover: (search: PortalSearch, signal: AbortSignal) => Promise<readonly Portal[]>;
  readonly logger: Logger;
  readonly events: VolumeEvents;
  readonly options: VolumeOptions;
}
