import type { Card } from '../card.js';

/**
 * Emulex OCe14102 (Skyhawk): Ethernet in functions 0 and 1 (be2net, 10df:0720), iSCSI in 2 and 3 (be2iscsi, 10df:0722;
 * Linux 6.1, be_main.c, beiscsi_pci_id_table). The iSCSI MAC is the function's own, here Ethernet's plus one. The HBA
 * shows neither an address nor a device (be_iscsi.c, beiscsi_attr_is_visible); its addresses are those of its
 * interfaces (beiscsi_iface_get_param).
 */
export const EMULEX_SKYHAWK: Card = {
  transport: 'be2iscsi',
  mac: '00:90:fa:09:00:01',
  pci: '10df:0722 at 0000:09:00.2, 10df:0722 at 0000:09:00.3',
  functions: ['0000:09:00.2', '0000:09:00.0', '0000:09:00.1', '0000:09:00.3'],
  ipv6: 'fd00:9::99',
  ethernet: [
    { netdev: 'enp9s0f0', mac: '00:90:fa:09:00:00' },
    { netdev: 'enp9s0f1', mac: '00:90:fa:09:01:00' },
  ],
  plug: (tree) => {
    for (const port of [0, 1]) {
      tree.pciFunction({ address: `0000:09:00.${port}`, id: '10DF:0720', driver: 'be2net' });
      tree.netDevice({
        name: `enp9s0f${port}`,
        mac: `00:90:fa:09:0${port}:00`,
        pci: `0000:09:00.${port}`,
        addresses: [`10.9.${port}.5/24`],
      });
      tree.pciFunction({ address: `0000:09:00.${port + 2}`, id: '10DF:0722' });
    }
  },
  load: (tree) => {
    tree.load('be2iscsi');
    for (const port of [0, 1]) {
      const pci = `0000:09:00.${port + 2}`;
      tree.pciFunction({ address: pci, id: '10DF:0722', driver: 'be2iscsi' });
      tree.iscsiHost({ host: 14 + port, procName: 'be2iscsi', pci, mac: `00:90:fa:09:0${port}:01` });
      tree.iscsiInterface({ host: 14 + port, pci, family: 4, ip: `10.9.${port}.99` });
      tree.iscsiInterface({ host: 14 + port, pci, family: 6, ip: `fd00:0009:000${port}:0000:0000:0000:0000:0099` });
    }
  },
};

/**
 * Emulex OneConnect (Lancer) with the vendor's ocs driver, which Linux does not have: the id from pci.ids (10df:e240),
 * the rest as open-iscsi asks of every HBA (usr/iscsi_sysfs.c, iscsi_sysfs_get_hostinfo_by_host_no).
 */
export const EMULEX_LANCER: Card = {
  transport: 'ocs',
  mac: '00:90:fa:0a:00:01',
  pci: '10df:e240 at 0000:0a:00.0, 10df:e240 at 0000:0a:00.1',
  functions: ['0000:0a:00.0', '0000:0a:00.1'],
  ipv6: 'fd00:10::9',
  ethernet: [],
  plug: (tree) => {
    for (const port of [0, 1]) tree.pciFunction({ address: `0000:0a:00.${port}`, id: '10DF:E240' });
  },
  load: (tree) => {
    tree.load('ocs');
    tree.iscsiHost({ host: 16, procName: 'ocs', pci: '0000:0a:00.0', mac: '00:90:fa:0a:00:01', ip: '10.10.0.9' });
    tree.iscsiHost({ host: 19, procName: 'ocs', pci: '0000:0a:00.1', mac: '00:90:fa:0a:00:02', ip: 'fd00:10::9' });
  },
};
