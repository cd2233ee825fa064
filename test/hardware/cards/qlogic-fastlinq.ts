import type { Card } from '../card.js';

/**
 * QLogic FastLinQ QL41000: Ethernet in functions 0 and 1 (qede, 1077:8070), iSCSI in 4 and 5 (qedi, 1077:8084; Linux
 * 6.1, qedi_main.c, qedi_pci_tbl). The HBA has a MAC of its own, no Linux device, says `hostN` where others name one,
 * and zeroes until iscsid has given it an address (qedi_iscsi.c, qedi_host_get_param).
 */
export const QLOGIC_FASTLINQ: Card = {
  transport: 'qedi',
  mac: '00:0e:1e:0b:00:41',
  pci: '1077:8084 at 0000:0b:00.4, 1077:8084 at 0000:0b:00.5',
  functions: ['0000:0b:00.4', '0000:0b:00.0', '0000:0b:00.1', '0000:0b:00.5'],
  ethernet: [
    { netdev: 'enp11s0f0', mac: '00:0e:1e:0b:00:00' },
    { netdev: 'enp11s0f1', mac: '00:0e:1e:0b:00:01' },
  ],
  plug: (tree) => {
    for (const port of [0, 1]) {
      tree.pciFunction({ address: `0000:0b:00.${port}`, id: '1077:8070', driver: 'qede' });
      tree.netDevice({
        name: `enp11s0f${port}`,
        mac: `00:0e:1e:0b:00:0${port}`,
        pci: `0000:0b:00.${port}`,
        addresses: [`10.11.${port}.5/24`],
      });
      tree.pciFunction({ address: `0000:0b:00.${port + 4}`, id: '1077:8084' });
    }
  },
  load: (tree) => {
    tree.load('qedi');
    for (const port of [0, 1]) {
      tree.pciFunction({ address: `0000:0b:00.${port + 4}`, id: '1077:8084', driver: 'qedi' });
      tree.iscsiHost({
        host: 17 + port,
        procName: 'qedi',
        pci: `0000:0b:00.${port + 4}`,
        mac: `00:0e:1e:0b:00:4${port + 1}`,
        ip: '0.0.0.0',
        netdev: `host${17 + port}`,
      });
    }
  },
};
