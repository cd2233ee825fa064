import type { Card } from '../card.js';

/**
 * Chelsio T520-CR: seven functions (pci.ids, 1425:5001, 5401, 5501, 5601). cxgb4 binds to 0 to 4 and drives both ports
 * by 4 (Linux 6.1, t4_pci_id_tbl.h; cxgb4_main.c, init_one); 5 and 6 are for other systems' storage drivers. cxgb4i
 * makes an HBA for each port with the port's own MAC and its device's name (drivers/scsi/cxgbi/libcxgbi.c,
 * cxgbi_hbas_add), and an address, which is that of a session on the port, so empty without one (cxgbi_get_host_param).
 */
export const CHELSIO_T5: Card = {
  transport: 'cxgb4i',
  mac: '00:07:43:04:aa:bb',
  pci: '1425:5401 at 0000:04:00.4',
  ipv6: 'fd00:4::5',
  functions: [
    '0000:04:00.4',
    '0000:04:00.0',
    '0000:04:00.1',
    '0000:04:00.2',
    '0000:04:00.3',
    '0000:04:00.5',
    '0000:04:00.6',
  ],
  ethernet: [
    { netdev: 'enp4s0f4', mac: '00:07:43:04:aa:bb' },
    { netdev: 'enp4s0f4d1', mac: '00:07:43:04:aa:bc' },
  ],
  plug: (tree) => {
    for (const number of [0, 1, 2, 3])
      tree.pciFunction({ address: `0000:04:00.${number}`, id: '1425:5001', driver: 'cxgb4' });
    tree.pciFunction({ address: '0000:04:00.4', id: '1425:5401', driver: 'cxgb4' });
    tree.pciFunction({ address: '0000:04:00.5', id: '1425:5501' });
    tree.pciFunction({ address: '0000:04:00.6', id: '1425:5601' });
    tree.netDevice({
      name: 'enp4s0f4',
      mac: '00:07:43:04:aa:bb',
      pci: '0000:04:00.4',
      addresses: ['10.4.0.5/24', '10.4.0.6/24', 'fd00:4::5/64'],
    });
    tree.netDevice({ name: 'enp4s0f4d1', mac: '00:07:43:04:aa:bc', pci: '0000:04:00.4', addresses: ['10.4.1.5/24'] });
  },
  load: (tree) => {
    tree.load('cxgb4i');
    tree.iscsiHost({
      host: 5,
      procName: 'cxgb4i',
      pci: '0000:04:00.4',
      mac: '00:07:43:04:aa:bb',
      ip: '',
      netdev: 'enp4s0f4',
    });
    tree.iscsiHost({
      host: 6,
      procName: 'cxgb4i',
      pci: '0000:04:00.4',
      mac: '00:07:43:04:aa:bc',
      ip: '',
      netdev: 'enp4s0f4d1',
    });
  },
};
