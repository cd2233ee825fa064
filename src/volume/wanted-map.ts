import type { VolumeOptions } from '../config/options.js';
import type { MultipathMap } from '../device/block-device.js';
import type { VolumeView } from './observe-volume.js';

/**
 * Of several paths the map; of one its disk, unless maps are asked for: multipathd may make one of a single path that
 * nobody wants.
 */
export function wantedMap(
  { map }: Pick<VolumeView, 'map'>,
  paths: number,
  { useMultipath }: Pick<VolumeOptions, 'useMultipath'>,
): MultipathMap | undefined {
  return useMultipath || paths > 1 ? map : undefined;
}
