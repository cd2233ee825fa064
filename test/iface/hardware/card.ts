import type { Transport } from '../../../src/iface/transport.js';
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
  /** The first HBA's network device with its Linux address; absent for a whole HBA. */
  readonly port?: { readonly netdev: string; readonly mac: string };
}
