import type { Card } from '../card.js';

/**
 * Chelsio S310-CR: one function, one port (pci.ids, 1425:0035; Linux 6.1, cxgb3_main.c, cxgb3_pci_tbl: T3C10). As
 * cxgb4i; the HBA may be given an IPv4 address of its own (cxgb3i.c, init_act_open), which like any it shows only while
 * a session runs from it (libcxgbi.c, cxgbi_get_host_param).
 */
export const CHELSIO_T3: Card = {
  transport: 'cxgb3i',
  mac: '00:07:43:05:01:02',
  pci: '1425:0035 at 0000:05:00.0',
  functions: ['0000:05:00.0'],
  ipv6: 'fd00:5::5',
  ethernet: [{ netdev: 'eth5', mac: '00:07:43:05:01:02' }],
  plug: (tree) => {
    tree.pciFunction({ address: '0000:05:00.0', id: '1425:0035', driver: 'cxgb3' });
    tree.netDevice({
      name: 'eth5',
      mac: '00:07:43:05:01:02',
      pci: '0000:05:00.0',
      addresses: ['10.5.0.5/24', 'fd00:5::5/64'],
    });
  },
  load: (tree) => {
    tree.load('cxgb3i');
    tree.iscsiHost({
      host: 3,
      procName: 'cxgb3i',
      pci: '0000:05:00.0',
      mac: '00:07:43:05:01:02',
      ip: '',
      netdev: 'eth5',
    });
  },
};
