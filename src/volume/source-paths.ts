import type { BlockDevice, DevicePath } from '../device/block-device.js';
import { stableNamesOf } from '../device/stable-names.js';

/**
 * Every name that a guest's description may have for a volume: the device's and its paths' of this boot, and those made
 * of its WWID, for a map and for a disk alike. A guest may have got it as the one and the host have it as the other by
 * now.
 */
export function sourcePathsOf(device: BlockDevice, disks: readonly DevicePath[]): readonly DevicePath[] {
  const lasting = [
    ...(device.kind === 'multipath' ? stableNamesOf(device) : []),
    ...(['multipath', 'disk'] as const).flatMap((kind) => stableNamesOf({ kind, wwid: device.wwid })),
  ];
  return [...new Set([device.path, ...disks, ...lasting])];
}
