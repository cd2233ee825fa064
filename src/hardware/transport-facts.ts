import type { PciFunction } from './hardware.js';
import { TRANSPORTS, type Transport } from './transport.js';

/** The PCI functions of one vendor that a transport's cards have. */
interface PciIds {
  readonly vendor: string;
  readonly devices: readonly string[] | RegExp;
}

/** What is so about a transport on every host, whatever hardware is there. */
export interface TransportFacts {
  /**
   * The kernel module that registers it. open-iscsi names two modules otherwise than their transports (usr/transport.c,
   * transport_load_kmod).
   */
  readonly module: string;
  /**
   * Whether it takes no card's driver, so that open-iscsi's own modprobe at login is enough. It would load a card's
   * module as well (usr/transport.c, transport_load_kmod), but nothing promises that the card's HBA is there in time
   * for that login, which then ends with `no such host`.
   */
  readonly loadedAtLogin: boolean;
  readonly pci: readonly PciIds[];
  /**
   * Drivers of network devices whose addresses belong to this transport's cards (open-iscsi, usr/iscsi_net_util.c,
   * net_drivers).
   */
  readonly netDrivers: readonly string[];
  /**
   * `iface.ipaddress` (usr/transport.c, set_host_ip: SET_HOST_IP_REQ, _OPT, _NOT_REQ; usr/initiator_common.c,
   * iscsi_host_set_net_params).
   */
  readonly ipaddress: 'required' | 'optional' | 'unused';
  /** Whether iscsiuio does its ARP and TCP handshake (usr/transport.c, set_net_config = uip_broadcast_params). */
  readonly needsIscsiuio: boolean;
  /**
   * Whether `iface.ipaddress` must be an address that no network device of the host has: iscsiuio answers ARP for it
   * with the HBA's own MAC, so that it would be one
   * address on two MACs ("the HBA's IP address should not be the same as the L2 ethx's IP address": open-iscsi,
   * iscsiuio/README, "Setting IP address").
   */
  readonly ownAddress: boolean;
  /** Whose MAC `iface.hwaddress` is: the network device's, or one of the HBA's own that only its iscsi_host shows. */
  readonly mac: 'network-device' | 'own';
  /**
   * Whether it connects to IPv6 portals. cxgb3i hands every address on as IPv4 (drivers/scsi/cxgbi/cxgb3i/cxgb3i.c,
   * init_act_open).
   */
  readonly ipv6: boolean;
  /**
   * Which HBA a session goes over when the iface names none: `routed`, the driver asks the kernel's routes (libcxgbi.c,
   * cxgbi_ep_connect; bnx2i_iscsi.c, bnx2i_ep_connect); `refused`, its ep_connect wants a host (ql4_os.c,
   * qla4xxx_ep_connect; be_iscsi.c, beiscsi_ep_connect; qedi_iscsi.c, qedi_ep_connect); `unknown`, the driver is not in
   * Linux; `none`, there is no HBA.
   */
  readonly unbound: 'routed' | 'refused' | 'unknown' | 'none';
}

/**
 * The nine transports. PCI ids: the drivers' MODULE_DEVICE_TABLE as modules.alias of Linux 6.1 lists them, without
 * virtual functions, which carry no iSCSI; ocs from pci.ids, "OneConnect iSCSI Initiator (Lancer)". A function in this
 * table explains what is missing. It proves nothing: the same silicon without the vendor's iSCSI licence has the same
 * ids.
 */
export const TRANSPORT_FACTS: Readonly<Record<Transport, TransportFacts>> = {
  tcp: software('iscsi_tcp'),
  iser: software('ib_iser'),
  cxgb3i: {
    module: 'cxgb3i',
    loadedAtLogin: false,
    netDrivers: ['cxgb3'],
    ipaddress: 'optional',
    needsIscsiuio: false,
    ownAddress: false,
    mac: 'network-device',
    ipv6: false,
    unbound: 'routed',
    // drivers/net/ethernet/chelsio/cxgb3/cxgb3_main.c, cxgb3_pci_tbl
    pci: [{ vendor: '1425', devices: ids('0020 0021 0022 0023 0024 0025 0026 0030 0031 0032 0035 0036 0037') }],
  },
  cxgb4i: {
    module: 'cxgb4i',
    loadedAtLogin: false,
    netDrivers: ['cxgb4'],
    ipaddress: 'unused',
    needsIscsiuio: false,
    ownAddress: false,
    mac: 'network-device',
    ipv6: true,
    unbound: 'routed',
    // drivers/net/ethernet/chelsio/cxgb4/t4_pci_id_tbl.h: T4, T5 and T6. The second digit is the function: cxgb4 binds
    // to 0 to 3 as well, for their virtual functions, and drives the ports by 4 alone (cxgb4_main.c, init_one:
    // CXGB4_UNIFIED_PF)
    pci: [{ vendor: '1425', devices: /^[456]4/ }],
  },
  bnx2i: {
    module: 'bnx2i',
    loadedAtLogin: false,
    netDrivers: ['bnx2', 'bnx2x'],
    ipaddress: 'required',
    needsIscsiuio: true,
    ownAddress: true,
    mac: 'own',
    ipv6: true,
    unbound: 'routed',
    pci: [
      // drivers/net/ethernet/broadcom/bnx2.c, bnx2_pci_tbl: 5706, 5708, 5709, 5716
      { vendor: '14e4', devices: ids('164a 164c 16aa 16ac 1639 163a 163b 163c') },
      // drivers/net/ethernet/broadcom/bnx2x/bnx2x_main.c, bnx2x_pci_tbl: 57710 to 57840, two of them under QLogic's
      // vendor id as well
      {
        vendor: '14e4',
        devices: ids('164e 164f 1650 1662 1663 168a 168d 168e 16a1 16a2 16a4 16a5 16ab 16ae 163d 163e'),
      },
      { vendor: '1077', devices: ids('16a1 16a4') },
    ],
  },
  qla4xxx: {
    module: 'qla4xxx',
    loadedAtLogin: false,
    netDrivers: [],
    ipaddress: 'unused',
    needsIscsiuio: false,
    ownAddress: false,
    mac: 'own',
    ipv6: true,
    unbound: 'refused',
    // drivers/scsi/qla4xxx/ql4_os.c, qla4xxx_pci_tbl: a whole HBA, bound to the driver itself
    pci: [{ vendor: '1077', devices: ids('4010 4022 4032 8022 8032 8042') }],
  },
  be2iscsi: {
    module: 'be2iscsi',
    loadedAtLogin: false,
    netDrivers: [],
    ipaddress: 'unused',
    needsIscsiuio: false,
    ownAddress: false,
    mac: 'own',
    ipv6: true,
    unbound: 'refused',
    // drivers/scsi/be2iscsi/be_main.c, beiscsi_pci_id_table: the iSCSI function; be2net drives another of the same card
    pci: [
      { vendor: '19a2', devices: ids('0212 0222 0702 0703 0712') },
      { vendor: '10df', devices: ids('0722') },
    ],
  },
  ocs: {
    module: 'ocs',
    loadedAtLogin: false,
    netDrivers: [],
    ipaddress: 'unused',
    needsIscsiuio: false,
    ownAddress: false,
    mac: 'own',
    ipv6: true,
    unbound: 'unknown',
    pci: [{ vendor: '10df', devices: ids('e240') }],
  },
  qedi: {
    module: 'qedi',
    loadedAtLogin: false,
    netDrivers: [],
    ipaddress: 'required',
    needsIscsiuio: true,
    ownAddress: true,
    mac: 'own',
    ipv6: true,
    unbound: 'refused',
    // drivers/scsi/qedi/qedi_main.c, qedi_pci_tbl: the iSCSI function of FastLinQ 45000 and 41000; qede drives the
    // Ethernet one
    pci: [{ vendor: '1077', devices: ids('165e 8084') }],
  },
};

/** Every module whose state decides over a transport. */
export const TRANSPORT_MODULES: readonly string[] = TRANSPORTS.map((transport) => TRANSPORT_FACTS[transport].module);

/** The functions that a card of this transport has. */
export function cardsOf(transport: Transport, pci: readonly PciFunction[]): readonly PciFunction[] {
  return pci.filter((candidate) => isCardOf(transport, candidate));
}

export function isCardOf(transport: Transport, { vendor, device }: Pick<PciFunction, 'vendor' | 'device'>): boolean {
  return TRANSPORT_FACTS[transport].pci.some(
    (known) =>
      known.vendor === vendor &&
      (known.devices instanceof RegExp ? known.devices.test(device) : known.devices.includes(device)),
  );
}

/** The offload transport whose cards this network driver drives: the one map open-iscsi has. */
export function transportOfNetDriver(driver: string): Transport | undefined {
  return TRANSPORTS.find((transport) => TRANSPORT_FACTS[transport].netDrivers.includes(driver));
}

function software(module: string): TransportFacts {
  return {
    module,
    loadedAtLogin: true,
    pci: [],
    netDrivers: [],
    ipaddress: 'unused',
    needsIscsiuio: false,
    ownAddress: false,
    mac: 'network-device',
    ipv6: true,
    unbound: 'none',
  };
}

function ids(text: string): readonly string[] {
  return text.split(' ');
}
