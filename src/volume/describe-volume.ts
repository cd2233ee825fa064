import type { NonEmpty } from '../base/brand.js';
import type { BlockDevice, MultipathMap } from '../device/block-device.js';
import type { ConnectedPath, ConnectedVolume, TransportChoice } from './connected-volume.js';
import { type IfacePlan, requestOf } from '../preflight/iface-plan.js';
import type { VolumePath } from './connect/path-opener.js';

/** What of a volume is open. */
export interface ConnectResult {
  readonly paths: NonEmpty<VolumePath>;
  readonly map: MultipathMap | undefined;
  readonly warnings: readonly string[];
}

/** The result of connect() and find(), with everything in it that the caller must be told in words. */
export function describeVolume(
  { paths, map, warnings }: ConnectResult,
  plan: IfacePlan,
  fallback: TransportChoice['fallback'],
): ConnectedVolume {
  const device: BlockDevice = map ?? paths[0].disk;
  const [first, ...others] = paths;
  const transport = { requested: requestOf(plan), used: usedBy(paths), fallback };
  return {
    device,
    paths: [describePath(first), ...others.map(describePath)],
    transport,
    warnings: [...fallbackWarnings(transport), ...identityWarnings(device), ...warnings],
  };
}

/** Why a volume that is there runs over an iface that was not asked for: it fell back when it was connected. */
export function fallbackOfPresent(paths: NonEmpty<VolumePath>, { requested }: IfacePlan): TransportChoice['fallback'] {
  if (paths.some(({ session }) => requested.some(({ iface }) => iface.name === session.iface))) return undefined;
  return { code: 'TRANSPORT_UNAVAILABLE', reason: `the volume was connected over ${usedBy(paths)} before` };
}

function describePath({ path: { target, portal, lun }, session, disk }: VolumePath): ConnectedPath {
  return {
    disk: disk.path,
    portal,
    target,
    lun,
    iface: session.iface,
    transport: session.transport,
    session: session.id,
  };
}

function usedBy(paths: readonly VolumePath[]): string {
  return [...new Set(paths.map(({ session }) => session.iface))].join(',');
}

function fallbackWarnings({ requested, used, fallback }: TransportChoice): readonly string[] {
  return fallback === undefined ? [] : [`${used} is used and not ${requested}: ${fallback.reason}`];
}

function identityWarnings({ path, wwid }: BlockDevice): readonly string[] {
  return wwid === undefined
    ? [`${path} reports no WWID (no VPD page 0x83): that it stays the same volume cannot be checked`]
    : [];
}
