import { formatPortal } from '../../connection/portal.js';
import type { ConnectedVolume } from '../../volume/connected-volume.js';
import { alignedTable } from './aligned-table.js';
import { formatSize } from './format-size.js';

/** A connected volume for people: the device first, then over what it is reached. */
export function volumeText({ device, paths, transport }: ConnectedVolume): string {
  const via =
    transport.fallback === undefined
      ? transport.used
      : `${transport.used}, not ${transport.requested}: ${transport.fallback.reason}`;
  const rows = paths.map((path) => [
    path.disk,
    formatPortal(path.portal),
    path.target,
    `${path.lun}`,
    path.iface,
    path.transport,
    `${path.session}`,
  ]);
  return [
    `${device.path}  ${device.kind}, ${formatSize(device.sizeBytes)}, wwid ${device.wwid ?? 'unknown'}`,
    `iface ${via}`,
    alignedTable([['DISK', 'PORTAL', 'TARGET', 'LUN', 'IFACE', 'TRANSPORT', 'SESSION'], ...rows]),
  ].join('\n');
}
