import type { Card } from '../card.js';

/** Chelsio S310: one function, one port (Linux 6.1, cxgb3_main.c, cxgb3_pci_tbl: 1425:0031). As cxgb4i; the HBA may have an address of its own (cxgb3i.c, set_host_param). */
export const CHELSIO_T3: Card = {
  transport: 'cxgb3i', mac: '00:07:43:05:01:02', pci: '1425:0031 at 0000:05:00.0', port: { netdev: 'eth5', mac: '00:07:43:05:01:02' },
  plug: (tree) => {
    tree.pciFunction({ address: '0000:05:00.0', id: '1425:0031', driver: 'cxgb3' });
    tree.netDevice({ name: 'eth5', mac: '00:07:43:05:01:02', pci: '0000:05:00.0', addresses: ['10.5.0.5/24'] });
  },
  load: (tree) => {
    tree.load('cxgb3i');
    tree.iscsiHost({ host: 3, procName: 'cxgb3i', pci: '0000:05:00.0', mac: '00:07:43:05:01:02', ip: '10.5.0.77', netdev: 'eth5' });
  },
};
