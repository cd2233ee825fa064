import type { NonEmpty } from '../base/brand.js';
import type { Portal } from '../connection/portal.js';
import type { TargetName } from '../connection/target-name.js';
import type { Lun } from '../connection/lun.js';
import type { BlockDevice, DevicePath } from '../device/block-device.js';
import type { IfaceName } from '../iface/iface-name.js';
import type { Transport } from '../hardware/transport.js';

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
