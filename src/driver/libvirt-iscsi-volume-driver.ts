import type { DriverVolumeType } from '../connection/iscsi-connection.js';
import { type DriverParts, LibvirtVolumeDriver } from './libvirt-volume-driver.js';

/** iSCSI over whatever iface `iscsi_iface` names: software TCP, iSER, or an offload card. */
export class LibvirtISCSIVolumeDriver extends LibvirtVolumeDriver {
  override readonly volumeType: DriverVolumeType = 'iscsi';

  constructor(parts: DriverParts) {
    super(parts, parts.options.iscsiIface);
  }
}
