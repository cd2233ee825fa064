import { describe, expect, test } from '@jest/globals';
import type { Iface } from '../../src/iface/iface.js';
import { BUILT_IN_IFACES } from '../../src/iface/iface.js';
import { ifaceOfAddress } from '../../src/iface/iface-of-address.js';
import { ifaceRecord } from '../../src/iface/name-iface.js';
import type { Card } from '../hardware/card.js';
import { CARDS } from '../hardware/cards/index.js';
import { plugConnectX } from '../hardware/cards/rdma.js';
import { ifaceOf } from '../hardware/iface-of.js';
import { SysfsTree } from '../hardware/sysfs-tree.js';

const {
  CHELSIO_T5,
  CHELSIO_T3,
  BROADCOM_57810,
  BROADCOM_5709,
  QLOGIC_4032,
  QLOGIC_FASTLINQ,
  EMULEX_SKYHAWK,
  EMULEX_LANCER,
} = CARDS;

async function chosen(
  address: string,
  plug: (tree: SysfsTree) => void,
  ifaces: readonly Iface[] = BUILT_IN_IFACES,
): Promise<unknown> {
  const tree = new SysfsTree();
  plug(tree);
  const choice = ifaceOfAddress(address, await tree.hardware(), ifaces);
  return choice.kind === 'record'
    ? choice.iface.name
    : [choice.transport, choice.hwaddress, choice.ipaddress, choice.netIfacename];
}

const whole =
  (card: Card) =>
  (tree: SysfsTree): void => {
    card.plug(tree);
    card.load(tree);
  };
const withVlan =
  (card: Card, below: string, mac: string) =>
  (tree: SysfsTree): void => {
    whole(card)(tree);
    tree.netDevice({ name: 'vlan7', mac, lower: [below], addresses: ['10.77.0.5/24'] });
  };

describe('ifaceOfAddress() for an address in this host', () => {
  const cases: readonly (readonly [string, string, (tree: SysfsTree) => void, unknown])[] = [
    [
      "Chelsio T5: the port's address",
      '10.4.0.5',
      whole(CHELSIO_T5),
      ['cxgb4i', '00:07:43:04:aa:bb', '10.4.0.5', undefined],
    ],
    [
      "Chelsio T5: the other port's",
      '10.4.1.5',
      whole(CHELSIO_T5),
      ['cxgb4i', '00:07:43:04:aa:bc', '10.4.1.5', undefined],
    ],
    [
      'R16, W-5: Chelsio T5: IPv6 in upper case',
      'FD00:4:0:0::5',
      whole(CHELSIO_T5),
      ['cxgb4i', '00:07:43:04:aa:bb', 'fd00:4::5', undefined],
    ],
    [
      'W-6: Chelsio T5, module not loaded: software TCP bound to its device, not the default iface',
      '10.4.0.5',
      CHELSIO_T5.plug,
      ['tcp', undefined, undefined, 'enp4s0f4'],
    ],
    [
      'Chelsio T5, module loaded, no HBA',
      '10.4.0.5',
      (tree) => {
        CHELSIO_T5.plug(tree);
        tree.load('cxgb4i');
      },
      ['tcp', undefined, undefined, 'enp4s0f4'],
    ],
    [
      'Chelsio T5: a VLAN, which its driver follows down',
      '10.77.0.5',
      withVlan(CHELSIO_T5, 'enp4s0f4', '00:07:43:04:aa:bb'),
      ['cxgb4i', '00:07:43:04:aa:bb', '10.77.0.5', undefined],
    ],
    [
      "Chelsio T3: the HBA's own address, while a session runs from it",
      '10.5.0.77',
      (tree) => {
        whole(CHELSIO_T3)(tree);
        tree.iscsiHost({
          host: 3,
          procName: 'cxgb3i',
          pci: '0000:05:00.0',
          mac: CHELSIO_T3.mac,
          ip: '10.5.0.77',
          netdev: 'eth5',
        });
      },
      ['cxgb3i', '00:07:43:05:01:02', '10.5.0.77', undefined],
    ],
    [
      "Chelsio T3: the port's address",
      '10.5.0.5',
      whole(CHELSIO_T3),
      ['cxgb3i', '00:07:43:05:01:02', '10.5.0.5', undefined],
    ],
    [
      "Broadcom 57810: the NIC's own address is software TCP, for the HBA needs another",
      '10.6.1.5',
      whole(BROADCOM_57810),
      ['tcp', undefined, undefined, 'enp6s0f1'],
    ],
    [
      'Broadcom 57810: a VLAN is software TCP',
      '10.77.0.5',
      withVlan(BROADCOM_57810, 'enp6s0f0', '00:10:18:a0:00:00'),
      ['tcp', undefined, undefined, 'vlan7'],
    ],
    ['Broadcom 5709: so is this', '10.7.0.5', whole(BROADCOM_5709), ['tcp', undefined, undefined, 'eth7']],
    [
      'QLogic 4032: the address is on the card',
      '10.8.3.9',
      whole(QLOGIC_4032),
      ['qla4xxx', '00:c0:dd:08:00:03', '10.8.3.9', undefined],
    ],
    [
      'QLogic 4032: the IPv6 address of its interface',
      'fd00:8:3::9',
      whole(QLOGIC_4032),
      ['qla4xxx', '00:c0:dd:08:00:03', 'fd00:8:3::9', undefined],
    ],
    [
      "Emulex Skyhawk: the address of the iSCSI function's interface",
      '10.9.1.99',
      whole(EMULEX_SKYHAWK),
      ['be2iscsi', '00:90:fa:09:01:01', '10.9.1.99', undefined],
    ],
    [
      'Emulex Skyhawk: the Ethernet function is software TCP',
      '10.9.1.5',
      whole(EMULEX_SKYHAWK),
      ['tcp', undefined, undefined, 'enp9s0f1'],
    ],
    ['Emulex Lancer', '10.10.0.9', whole(EMULEX_LANCER), ['ocs', '00:90:fa:0a:00:01', '10.10.0.9', undefined]],
    [
      'QLogic FastLinQ: the Ethernet function is software TCP',
      '10.11.0.5',
      whole(QLOGIC_FASTLINQ),
      ['tcp', undefined, undefined, 'enp11s0f0'],
    ],
    ['a plain card', '10.12.0.5', plugConnectX, ['tcp', undefined, undefined, 'enp12s0f0np0']],
    [
      'a bond: the same MAC as a member, told apart by its name',
      '10.13.0.5',
      (tree) => {
        plugConnectX(tree);
        tree.netDevice({
          name: 'bond0',
          mac: '0c:42:a1:0c:00:00',
          lower: ['enp12s0f0np0', 'enp12s0f1np1'],
          addresses: ['10.13.0.5/24'],
        });
      },
      ['tcp', undefined, undefined, 'bond0'],
    ],
    [
      'a bond of Chelsio ports',
      '10.13.0.5',
      (tree) => {
        whole(CHELSIO_T5)(tree);
        tree.netDevice({
          name: 'bond0',
          mac: '00:07:43:04:aa:bb',
          lower: ['enp4s0f4', 'enp4s0f4d1'],
          addresses: ['10.13.0.5/24'],
        });
      },
      ['tcp', undefined, undefined, 'bond0'],
    ],
  ];
  test.each(cases)('ifaceOfAddress() for %s', async (_name, address, plug, expected) => {
    expect(await chosen(address, plug)).toEqual(expected);
  });
});

describe('ifaceOfAddress() with records', () => {
  const generated = (name: string, values: Readonly<Record<string, string>> = {}): Iface =>
    ifaceOf({ transport_name: 'cxgb4i', hwaddress: '00:07:43:04:aa:bb', ...values }, name);
  const ipv4 = generated('cxgb4i.00:07:43:04:aa:bb.ipv4.0');
  const ipv6 = generated('cxgb4i.00:07:43:04:aa:bb.ipv6.0');

  test('ifaceOfAddress() uses the generated record of the HBA, of the right family', async () => {
    expect(await chosen('10.4.0.5', whole(CHELSIO_T5), [ipv4, ipv6])).toBe(ipv4.name);
    expect(await chosen('fd00:4::5', whole(CHELSIO_T5), [ipv4, ipv6])).toBe(ipv6.name);
  });

  test('ifaceOfAddress() prefers the record with this very address', async () => {
    const exact = generated('mine', { ipaddress: '10.4.0.6' });
    expect(await chosen('10.4.0.6', whole(CHELSIO_T5), [ipv4, exact])).toBe('mine');
    expect(await chosen('10.4.0.5', whole(CHELSIO_T5), [ipv4, exact])).toBe(ipv4.name);
  });

  test('ifaceOfAddress() finds the record that gives bnx2i its address, which no device has yet', async () => {
    const record = ifaceOf(
      { transport_name: 'bnx2i', hwaddress: BROADCOM_57810.mac, ipaddress: '10.6.0.200' },
      'offload0',
    );
    expect(await chosen('10.6.0.200', whole(BROADCOM_57810), [record])).toBe('offload0');
  });

  test.each([BROADCOM_57810, BROADCOM_5709, QLOGIC_FASTLINQ])(
    'ifaceOfAddress() uses no record that gives the HBA of $transport the address of a NIC',
    async (card) => {
      const tree = new SysfsTree();
      whole(card)(tree);
      const { netDevices } = await tree.hardware();
      const [{ name, addresses: [address = ''] } = { name: '', addresses: [] }] = netDevices.filter(
        ({ addresses }) => addresses.length > 0,
      );
      const records = [
        ifaceOf({ transport_name: card.transport, hwaddress: card.mac, ipaddress: address }, 'twice'),
        ifaceOf({ transport_name: card.transport, hwaddress: card.mac }, 'bare'),
      ];
      expect(await chosen(address, whole(card), records)).toEqual(['tcp', undefined, undefined, name]);
    },
  );

  test("ifaceOfAddress() explains why a capable card's NIC address is software TCP, with the remedy", async () => {
    const tree = new SysfsTree();
    whole(BROADCOM_57810)(tree);
    expect(ifaceOfAddress('10.6.0.5', await tree.hardware(), BUILT_IN_IFACES)).toMatchObject({
      note:
        'the address 10.6.0.5 is that of the network device enp6s0f0, so volumes go over tcp: the bnx2i HBA of ' +
        'that card needs another one, as in iscsi_iface = { transport = "bnx2i", hwaddress = ' +
        '"00:10:18:a0:00:01", ipaddress = "…" }',
    });
  });

  test('ifaceOfAddress() uses a tcp record bound to the device by name, never by a shared MAC', async () => {
    const byMac = ifaceOf({ transport_name: 'tcp', hwaddress: '0c:42:a1:0c:00:00' }, 'by-mac');
    const byName = ifaceOf({ transport_name: 'tcp', net_ifacename: 'enp12s0f0np0' }, 'by-name');
    expect(await chosen('10.12.0.5', plugConnectX, [byMac, byName])).toBe('by-name');
    expect(await chosen('10.12.0.5', plugConnectX, [byMac])).toEqual(['tcp', undefined, undefined, 'enp12s0f0np0']);
  });

  test('ifaceOfAddress() finds again the record made of its own answer', async () => {
    const tree = new SysfsTree();
    whole(CHELSIO_T5)(tree);
    const hardware = await tree.hardware();
    const first = ifaceOfAddress('10.4.0.5', hardware, [ipv6]);
    if (first.kind !== 'make') throw new Error('a record fits already');
    const made = ifaceRecord(first);
    expect(ifaceOfAddress('10.4.0.5', hardware, [ipv6, made])).toEqual({ kind: 'record', iface: made });
  });

  test('ifaceOfAddress() refuses to choose between two that fit, and names them', async () => {
    await expect(chosen('10.4.0.5', whole(CHELSIO_T5), [generated('one'), generated('two')])).rejects.toMatchObject({
      code: 'IFACE_UNUSABLE',
      message: 'Cannot choose an iface for the address 10.4.0.5: one, two all fit',
      details: { candidates: ['one', 'two'] },
    });
  });
});

test('ifaceOfAddress() refuses an address on two devices', async () => {
  const plug = (tree: SysfsTree): void => {
    for (const port of [1, 2])
      tree.netDevice({ name: `eth${port}`, mac: `02:fc:00:00:00:0${port}`, addresses: ['fe80::1/64'] });
  };
  await expect(chosen('fe80::1', plug)).rejects.toMatchObject({
    code: 'IFACE_UNUSABLE',
    details: { candidates: ['eth1', 'eth2'] },
  });
});

test('ifaceOfAddress() of an address that this host lacks names those that it has (R110)', async () => {
  await expect(
    chosen('192.0.2.1', (tree) => {
      whole(QLOGIC_4032)(tree);
      tree.netDevice({ name: 'eth0', mac: '02:fc:00:00:00:01', addresses: ['10.5.0.5/24'] });
    }),
  ).rejects.toMatchObject({
    code: 'IFACE_NOT_FOUND',
    message:
      'Cannot find an iface for the address 192.0.2.1: this host has 10.8.1.9 on host21 (qla4xxx), fd00:8:1::9 on ' +
      'host21 (qla4xxx), 10.8.3.9 on host23 (qla4xxx), fd00:8:3::9 on host23 (qla4xxx), 10.5.0.5 on eth0',
  });
});
