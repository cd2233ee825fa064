import type { Card } from '../card.js';

/**
 * Broadcom 57810, two functions (Linux 6.1, bnx2x_main.c: 14e4:168e). The iSCSI MAC comes from the firmware and is not
 * the Ethernet one (drivers/net/ethernet/broadcom/cnic.c, init_bnx2x_cnic: ethdev->iscsi_mac); the HBA shows it, the
 * Ethernet device's name, and the address of a session, so none without one (drivers/scsi/bnx2i/bnx2i_iscsi.c,
 * bnx2i_host_get_param). Here the MAC is Ethernet's plus one.
 */
export const BROADCOM_57810: Card = {
  transport: 'bnx2i',
  mac: '00:10:18:a0:00:01',
  pci: '14e4:168e at 0000:06:00.0, 14e4:168e at 0000:06:00.1',
  functions: ['0000:06:00.0', '0000:06:00.1'],
  ipv6: 'fd00:6:0:1::5',
  ethernet: [
    { netdev: 'enp6s0f0', mac: '00:10:18:a0:00:00' },
    { netdev: 'enp6s0f1', mac: '00:10:18:a0:00:20' },
  ],
  plug: (tree) => {
    for (const port of [0, 1]) {
      tree.pciFunction({ address: `0000:06:00.${port}`, id: '14E4:168E', driver: 'bnx2x' });
      tree.netDevice({
        name: `enp6s0f${port}`,
        mac: `00:10:18:a0:00:${port * 2}0`,
        pci: `0000:06:00.${port}`,
        addresses: [`10.6.${port}.5/24`, `fd00:6:0:${port + 1}::5/64`],
      });
    }
  },
  load: (tree) => {
    tree.load('bnx2i');
    tree.iscsiHost({
      host: 7,
      procName: 'bnx2i',
      pci: '0000:06:00.0',
      mac: '00:10:18:a0:00:01',
      ip: '',
      netdev: 'enp6s0f0',
    });
    tree.iscsiHost({
      host: 8,
      procName: 'bnx2i',
      pci: '0000:06:00.1',
      mac: '00:10:18:a0:00:21',
      ip: '',
      netdev: 'enp6s0f1',
    });
  },
};

/**
 * Broadcom 5709, two functions (Linux 6.1, bnx2.c, bnx2_pci_tbl: 14e4:1639). Its iSCSI MAC is in the memory it shares
 * with its firmware (cnic.c, cnic_set_bnx2_mac).
 */
export const BROADCOM_5709: Card = {
  transport: 'bnx2i',
  mac: '00:10:18:b0:00:01',
  pci: '14e4:1639 at 0000:07:00.0, 14e4:1639 at 0000:07:00.1',
  functions: ['0000:07:00.0', '0000:07:00.1'],
  ipv6: 'fd00:7:0:1::5',
  ethernet: [
    { netdev: 'eth7', mac: '00:10:18:b0:00:00' },
    { netdev: 'eth8', mac: '00:10:18:b0:00:02' },
  ],
  plug: (tree) => {
    for (const port of [0, 1]) {
      tree.pciFunction({ address: `0000:07:00.${port}`, id: '14E4:1639', driver: 'bnx2' });
      tree.netDevice({
        name: `eth${port + 7}`,
        mac: `00:10:18:b0:00:0${port * 2}`,
        pci: `0000:07:00.${port}`,
        addresses: [`10.7.${port}.5/24`, `fd00:7:0:${port + 1}::5/64`],
      });
    }
  },
  load: (tree) => {
    tree.load('bnx2i');
    for (const port of [0, 1])
      tree.iscsiHost({
        host: 9 + port,
        procName: 'bnx2i',
        pci: `0000:07:00.${port}`,
        mac: `00:10:18:b0:00:0${port * 2 + 1}`,
        ip: '',
        netdev: `eth${port + 7}`,
      });
  },
};
