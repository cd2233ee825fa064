import type { LioTarget } from './lio-target.js';
import type { LioVolume } from './lio-volume.js';

/** What the storage service would return for a volume of the lab's target, at these addresses. */
export function connectionInfo(
  volume: LioVolume,
  target: LioTarget,
  lun: number,
  addresses: readonly [string, ...string[]],
): object {
  const portals = addresses.map((address) => `${address}:3260`);
  const several = {
    target_portals: portals,
    target_iqns: portals.map(() => target.iqn),
    target_luns: portals.map(() => lun),
  };
  return {
    driver_volume_type: 'iscsi',
    serial: volume.name,
    data: {
      volume_id: volume.name,
      target_portal: portals[0],
      target_iqn: target.iqn,
      target_lun: lun,
      access_mode: 'rw',
      discard: false,
      ...(portals.length > 1 ? several : {}),
    },
  };
}
