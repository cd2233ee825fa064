import type { NonEmpty } from '../base/brand.js';
import type { Lun } from '../connection/lun.js';
import type { Portal } from '../connection/portal.js';
import type { TargetName } from '../connection/target-name.js';
import type { BlockDevice, DevicePath } from '../device/block-device.js';
import { stableNamesOf } from '../device/stable-names.js';
import type { Transport } from '../hardware/transport.js';
import type { IfaceName } from '../iface/iface-name.js';

/** One open path of a connected volume, as sysfs shows it. */
export interface ConnectedPath {
  readonly disk: DevicePath;
  readonly portal: Portal;
  readonly target: TargetName;
  readonly lun: Lun;
  /** The iface the session runs over, read back from the kernel. */
  readonly iface: IfaceName;
  /** The transport the session runs over, read back from the kernel: a record that names one proves nothing. */
  readonly transport: Transport;
  /** The kernel's session id. */
  readonly session: number;
}

/** What was asked for, what is used, and why they differ where they do. */
export interface TransportChoice {
  /** The name of the iface; of several, all of them with a comma between two. */
  readonly requested: string;
  readonly used: string;
  readonly fallback: { readonly code: string; readonly reason: string } | undefined;
}

/** What connect() gives: the device on this host, and how it is reached. */
export interface ConnectedVolume {
  readonly device: BlockDevice;
  readonly paths: NonEmpty<ConnectedPath>;
  readonly transport: TransportChoice;
  readonly warnings: readonly string[];
}

/**
 * Every name that a guest's description may have for a volume: the device's and its paths' of this boot, and those made
 * of its WWID, for a map and for a disk alike. A guest may have got it as the one and the host have it as the other by
 * now.
 */
export function sourcePathsOf({
  device,
  paths,
}: {
  readonly device: BlockDevice;
  readonly paths: readonly { readonly disk: DevicePath }[];
}): readonly DevicePath[] {
  const lasting = [
    ...(device.kind === 'multipath' ? stableNamesOf(device) : []),
    ...(['multipath', 'disk'] as const).flatMap((kind) => stableNamesOf({ kind, wwid: device.wwid })),
  ];
  return [...new Set([device.path, ...paths.map(({ disk }) => disk), ...lasting])];
}
