import type { DriverVolumeType } from '../connection/iscsi-connection.js';
import { ISER_IFACE } from '../iface/iface-name.js';
import { type DriverParts, LibvirtVolumeDriver } from './libvirt-volume-driver.js';

/**
 * iSCSI over RDMA, whatever `iscsi_iface` says.
 * @deprecated `iscsi_iface = "iser"` makes LibvirtISCSIVolumeDriver do the same; this class stays for services that ask
 * for `iser`
 *   by `driver_volume_type`.
 */
export class LibvirtISERVolumeDriver extends LibvirtVolumeDriver {
  override readonly volumeType: DriverVolumeType = 'iser';

  constructor(parts: DriverParts) {
    super(parts, [{ kind: 'name', name: ISER_IFACE }]);
    parts.logger.warn(
      'LibvirtISERVolumeDriver is deprecated: write iscsi_iface = "iser" and use LibvirtISCSIVolumeDriver',
    );
  }
}
