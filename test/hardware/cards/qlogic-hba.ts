import type { Card } from '../card.js';

/**
 * QLogic QLE4062: a whole HBA without a network device, its two ports functions 1 and 3 (Linux 6.1, ql4_os.c,
 * qla4xxx_pci_tbl: 1077:4032). The addresses are kept on the card: IPv4 is the HBA's own attribute
 * (qla4xxx_host_get_param, which knows no netdev), and each interface shows its one (qla4xxx_create_ifaces).
 */
export const QLOGIC_4032: Card = {
  transport: 'qla4xxx',
  mac: '00:c0:dd:08:00:01',
  pci: '1077:4032 at 0000:08:00.1, 1077:4032 at 0000:08:00.3',
  functions: ['0000:08:00.1', '0000:08:00.3'],
  ipv6: 'FD00:8:1:0::9',
  ethernet: [],
  plug: (tree) => {
    for (const port of [1, 3]) tree.pciFunction({ address: `0000:08:00.${port}`, id: '1077:4032' });
  },
  load: (tree) => {
    tree.load('qla4xxx');
    for (const port of [1, 3]) {
      const pci = `0000:08:00.${port}`;
      tree.pciFunction({ address: pci, id: '1077:4032', driver: 'qla4xxx' });
      tree.iscsiHost({
        host: 20 + port,
        procName: 'qla4xxx',
        pci,
        mac: `00:c0:dd:08:00:0${port}`,
        ip: `10.8.${port}.9`,
      });
      tree.iscsiInterface({ host: 20 + port, pci, family: 4, ip: `10.8.${port}.9` });
      for (const number of [0, 1])
        tree.iscsiInterface({
          host: 20 + port,
          pci,
          family: 6,
          number,
          ip:
            number === 0 ? `fd00:0008:000${port}:0000:0000:0000:0000:0009` : '0000:0000:0000:0000:0000:0000:0000:0000',
        });
    }
  },
};
