import type { Card } from '../card.js';

/**
 * Broadcom 57810, two functions (Linux 6.1, bnx2x_main.c: 14e4:168e). The iSCSI MAC comes from the firmware and is not the Ethernet one (cnic.c, cnic_init_bnx2x_mac:
 * iscsi_mac_addr); the HBA shows it, and the Ethernet device's name (drivers/scsi/bnx2i/bnx2i_iscsi.c, bnx2i_host_get_param). Here it is Ethernet's plus one.
 */
export const BROADCOM_57810: Card = {
  transport: 'bnx2i', mac: '00:10:18:a0:00:01', pci: '14e4:168e at 0000:06:00.0, 14e4:168e at 0000:06:00.1', port: { netdev: 'enp6s0f0', mac: '00:10:18:a0:00:00' },
  plug: (tree) => {
    for (const port of [0, 1]) {
      tree.pciFunction({ address: `0000:06:00.${port}`, id: '14E4:168E', driver: 'bnx2x' });
      tree.netDevice({ name: `enp6s0f${port}`, mac: `00:10:18:a0:00:${port * 2}0`, pci: `0000:06:00.${port}`, addresses: [`10.6.${port}.5/24`] });
    }
  },
  load: (tree) => {
    tree.load('bnx2i');
    tree.iscsiHost({ host: 7, procName: 'bnx2i', pci: '0000:06:00.0', mac: '00:10:18:a0:00:01', netdev: 'enp6s0f0' });
    tree.iscsiHost({ host: 8, procName: 'bnx2i', pci: '0000:06:00.1', mac: '00:10:18:a0:00:21', netdev: 'enp6s0f1' });
  },
};

/** Broadcom 5709, one function (Linux 6.1, bnx2.c, bnx2_pci_tbl: 14e4:1639). */
export const BROADCOM_5709: Card = {
  transport: 'bnx2i', mac: '00:10:18:b0:00:01', pci: '14e4:1639 at 0000:07:00.0', port: { netdev: 'eth7', mac: '00:10:18:b0:00:00' },
  plug: (tree) => {
    tree.pciFunction({ address: '0000:07:00.0', id: '14E4:1639', driver: 'bnx2' });
    tree.netDevice({ name: 'eth7', mac: '00:10:18:b0:00:00', pci: '0000:07:00.0', addresses: ['10.7.0.5/24'] });
  },
  load: (tree) => {
    tree.load('bnx2i');
    tree.iscsiHost({ host: 9, procName: 'bnx2i', pci: '0000:07:00.0', mac: '00:10:18:b0:00:01', netdev: 'eth7' });
  },
};
