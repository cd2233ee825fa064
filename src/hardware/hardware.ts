/** A PCI function. Ids are four lower-case hexadecimal digits, as sysfs has them without `0x`. */
export interface PciFunction {
  /** `0000:04:00.4` */
  readonly address: string;
  readonly vendor: string;
  readonly device: string;
  /** The driver that is bound to it, such as `cxgb4`; absent when none is. */
  readonly driver: string | undefined;
}

/** A SCSI host that is an iSCSI initiator: a card's, or one that software made for a session. */
export interface IscsiHost {
  readonly host: number;
  /** From the host's driver, without `iscsi_`: `cxgb4i`, `tcp`. */
  readonly transport: string;
  /** Lower case. */
  readonly hwaddress: string | undefined;
  /**
   * What the host itself shows: of bnx2i, qedi and Chelsio the source of a session that runs, of qla4xxx the card's
   * IPv4 address, of be2iscsi nothing.
   */
  readonly ipaddress: string | undefined;
  /**
   * Those of the host's interfaces (/sys/class/iscsi_iface: qla4xxx, be2iscsi). Reading one may ask the card's
   * firmware, so they are here only when they were asked for.
   */
  readonly ifaceAddresses: readonly string[];
  readonly netdev: string | undefined;
  /** The PCI function that the host belongs to; absent for a host that software made. */
  readonly pciAddress: string | undefined;
}

/** A network device, VLANs and bonds included: those share the MAC of the device below. */
export interface NetDevice {
  readonly name: string;
  /** Lower case. */
  readonly hwaddress: string | undefined;
  /** The PCI function below it; absent for a VLAN, a bond, a veth. */
  readonly pciAddress: string | undefined;
  /** The driver of that function: `cxgb4`, `bnx2x`. */
  readonly driver: string | undefined;
  /** Canonical addresses, IPv4 and IPv6. */
  readonly addresses: readonly string[];
  /** Those of the addresses whose prefix is known, with it: `10.98.0.1/24`. */
  readonly subnets: readonly string[];
  /** The devices it stands on: a VLAN's one, a bond's several. */
  readonly lower: readonly string[];
}

/** One port of an RDMA device. */
export interface RdmaPort {
  readonly device: string;
  readonly port: number;
  readonly active: boolean;
  /** The network device of the port (RoCE, iWARP); absent for InfiniBand without IP. */
  readonly netdev: string | undefined;
}

/** All of this host that decides over which transport a session can come to be, as it was when we looked. */
export interface Hardware {
  /** Transports that the kernel has registered (/sys/class/iscsi_transport). */
  readonly transports: ReadonlySet<string>;
  /** Kernel modules that are loaded, or that can be: iscsiadm loads the software ones at login. */
  readonly loadedModules: ReadonlySet<string>;
  readonly loadableModules: ReadonlySet<string>;
  /** Those that some transport's card has. */
  readonly pci: readonly PciFunction[];
  readonly hosts: readonly IscsiHost[];
  readonly netDevices: readonly NetDevice[];
  readonly rdmaPorts: readonly RdmaPort[];
  /** The socket of iscsiuio is there (/proc/net/unix, `@ISCSID_UIP_ABSTRACT_NAMESPACE`). */
  readonly iscsiuioRuns: boolean;
}

/** Why an iface cannot carry a session now. The codes are stable. */
export type UnusableCode =
  | 'NO_MODULE'
  | 'MODULE_NOT_LOADED'
  | 'NOT_REGISTERED'
  | 'NO_HARDWARE'
  | 'NO_HWADDRESS'
  | 'NO_ADAPTER'
  | 'NO_NET_DEVICE'
  | 'NO_IPADDRESS'
  | 'IPADDRESS_TAKEN'
  | 'NO_ISCSIUIO'
  | 'NO_RDMA_PORT'
  | 'RDMA_PORT_DOWN'
  | 'RDMA_PORT_ELSEWHERE'
  | 'LINK_LOCAL_ONLY';

export type Verdict =
  | { readonly kind: 'usable' }
  | {
      readonly kind: 'unusable';
      readonly code: UnusableCode;
      /**
       * One sentence for people: `hardware is present (1425:5401 at 0000:04:00.4) and its module cxgb4i is not loaded`.
       */
      readonly reason: string;
      /** The command that mends it, where there is one: `modprobe cxgb4i`. */
      readonly hint: string | undefined;
    };
