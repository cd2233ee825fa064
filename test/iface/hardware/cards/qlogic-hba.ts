import type { Card } from '../card.js';

/** QLogic QLE4062: a whole HBA without a network device, its two ports functions 1 and 3 (Linux 6.1, ql4_os.c, qla4xxx_pci_tbl: 1077:4032; qla4xxx_host_get_param has no netdev). The address is kept on the card. */
export const QLOGIC_4032: Card = {
  transport: 'qla4xxx', mac: '00:c0:dd:08:00:01', pci: '1077:4032 at 0000:08:00.1, 1077:4032 at 0000:08:00.3',
  plug: (tree) => {
    for (const port of [1, 3]) tree.pciFunction({ address: `0000:08:00.${port}`, id: '1077:4032' });
  },
  load: (tree) => {
    tree.load('qla4xxx');
    for (const port of [1, 3]) {
      tree.pciFunction({ address: `0000:08:00.${port}`, id: '1077:4032', driver: 'qla4xxx' });
      tree.iscsiHost({ host: 10 + port, procName: 'qla4xxx', pci: `0000:08:00.${port}`, mac: `00:c0:dd:08:00:0${port}`, ip: `10.8.${port}.9` });
    }
  },
};
