import type { Card } from '../card.js';

/**
 * Chelsio T520-CR: five functions, of which cxgb4 drives the fifth with both ports (Linux 6.1, t4_pci_id_tbl.h: 1425:5401 is "T520-cr"). cxgb4i makes an
 * HBA for each port with the port's own MAC and its device's name (drivers/scsi/cxgbi/libcxgbi.c, cxgbi_hbas_add and cxgbi_get_host_param), and
 * 0.0.0.0 until an address is set.
 */
export const CHELSIO_T5: Card = {
  transport: 'cxgb4i', mac: '00:07:43:04:aa:bb', pci: '1425:5401 at 0000:04:00.4', port: { netdev: 'enp4s0f4', mac: '00:07:43:04:aa:bb' },
  plug: (tree) => {
    tree.pciFunction({ address: '0000:04:00.4', id: '1425:5401', driver: 'cxgb4' });
    tree.netDevice({ name: 'enp4s0f4', mac: '00:07:43:04:aa:bb', pci: '0000:04:00.4', addresses: ['10.4.0.5/24', '10.4.0.6/24', 'fd00:4::5/64'] });
    tree.netDevice({ name: 'enp4s0f4d1', mac: '00:07:43:04:aa:bc', pci: '0000:04:00.4', addresses: ['10.4.1.5/24'] });
  },
  load: (tree) => {
    tree.load('cxgb4i');
    tree.iscsiHost({ host: 5, procName: 'cxgb4i', pci: '0000:04:00.4', mac: '00:07:43:04:aa:bb', ip: '0.0.0.0', netdev: 'enp4s0f4' });
    tree.iscsiHost({ host: 6, procName: 'cxgb4i', pci: '0000:04:00.4', mac: '00:07:43:04:aa:bc', ip: '0.0.0.0', netdev: 'enp4s0f4d1' });
  },
};
