import type { Transport } from '../../src/hardware/transport.js';
import type { SysfsTree } from './sysfs-tree.js';

/** An offload card in a slot, as its drivers show it. */
export interface Card {
  readonly transport: Transport;
  /** The card as it is before its iSCSI module is loaded: PCI functions and network devices. */
  readonly plug: (tree: SysfsTree) => void;
  /** What the iSCSI module adds: the transport and an HBA for each port. */
  readonly load: (tree: SysfsTree) => void;
  /** Of the first HBA, lower case. */
  readonly mac: string;
  /** How a reason names the card: `1425:5401 at 0000:04:00.4`. */
  readonly pci: string;
  /** The PCI function of the first HBA, and the card's others. */
  readonly functions: readonly [string, ...string[]];
  /** An IPv6 address that means the card; none where only a record has one. */
  readonly ipv6?: string;
  /** The network devices beside the HBAs, of the same function or of another; none for a whole HBA. */
  readonly ethernet: readonly { readonly netdev: string; readonly mac: string }[];
}
