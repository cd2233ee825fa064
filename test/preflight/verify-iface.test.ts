import { describe, expect, test } from '@jest/globals';
import type { Verdict } from '../../src/hardware/hardware.js';
import type { Iface } from '../../src/iface/iface.js';
import { BUILT_IN_IFACES } from '../../src/iface/iface.js';
import { TRANSPORT_FACTS } from '../../src/hardware/transport-facts.js';
import { verifyIface } from '../../src/preflight/verify-iface.js';
import type { Card } from '../hardware/card.js';
import { CARDS } from '../hardware/cards/index.js';
import { plugConnectX, plugInfiniBand, plugSoftRoce } from '../hardware/cards/rdma.js';
import { ifaceOf } from '../hardware/iface-of.js';
import { SysfsTree } from '../hardware/sysfs-tree.js';

const NEEDS_ADDRESS = new Set(['bnx2i', 'qedi']);
const NEEDS_HWADDRESS = new Set(['qla4xxx', 'be2iscsi', 'qedi']);
const ISER = BUILT_IN_IFACES.find(({ transport }) => transport === 'iser') ?? ifaceOf({});
const DEFAULT = BUILT_IN_IFACES.find(({ transport }) => transport === 'tcp') ?? ifaceOf({});

type Change = Readonly<Record<string, string | undefined>>;
interface Case {
  readonly is: string;
  readonly host: (tree: SysfsTree, card: Card) => void;
  readonly iface?: (card: Card) => Change;
  readonly code: (card: Card) => string;
}

const whole = (tree: SysfsTree, card: Card): void => {
  card.plug(tree);
  card.load(tree);
  tree.startIscsiuio();
};

const CASES: readonly Case[] = [
  { is: 'no card, no module', host: () => undefined, code: () => 'NO_HARDWARE' },
  {
    is: 'no card, module loaded',
    host: (tree, { transport }) => {
      tree.load(transport);
    },
    code: ({ transport }) => (transport === 'ocs' ? 'NO_ADAPTER' : 'NO_HARDWARE'),
  },
  {
    is: 'card, module not loaded',
    host: (tree, card) => {
      card.plug(tree);
    },
    code: ({ transport }) => (transport === 'ocs' ? 'NO_MODULE' : 'MODULE_NOT_LOADED'),
  },
  {
    is: 'card, module not installed',
    host: (tree, card) => {
      card.plug(tree);
      tree.installModules([]);
    },
    code: () => 'NO_MODULE',
  },
  {
    is: 'card, module loaded without a transport',
    host: (tree, card) => {
      card.plug(tree);
      tree.loadUnregistered(card.transport);
    },
    code: () => 'NOT_REGISTERED',
  },
  {
    is: 'card without iSCSI licence',
    host: (tree, card) => {
      card.plug(tree);
      tree.load(card.transport);
    },
    code: () => 'NO_ADAPTER',
  },
  { is: 'W-1: everything there', host: whole, code: () => 'usable' },
  {
    is: 'MAC in upper case in the record',
    host: whole,
    iface: ({ mac }) => ({ hwaddress: mac.toUpperCase() }),
    code: () => 'usable',
  },
  { is: 'MAC of no HBA', host: whole, iface: () => ({ hwaddress: '00:00:5e:00:53:01' }), code: () => 'NO_ADAPTER' },
  {
    is: 'MAC of the Ethernet port',
    host: whole,
    iface: ({ ethernet: [port], mac }) => ({ hwaddress: port?.mac ?? mac }),
    code: ({ ethernet: [port], mac }) => (port !== undefined && port.mac !== mac ? 'NO_ADAPTER' : 'usable'),
  },
  {
    is: 'no ipaddress',
    host: whole,
    iface: () => ({ ipaddress: undefined }),
    code: ({ transport }) => (NEEDS_ADDRESS.has(transport) ? 'NO_IPADDRESS' : 'usable'),
  },
  {
    is: 'the ipaddress of a network device',
    host: (tree, card) => {
      whole(tree, card);
      tree.netDevice({ name: 'lan0', mac: '02:00:00:00:00:09', addresses: ['10.9.9.9/24'] });
    },
    iface: () => ({ ipaddress: '10.9.9.9' }),
    code: ({ transport }) => (NEEDS_ADDRESS.has(transport) ? 'IPADDRESS_TAKEN' : 'usable'),
  },
  {
    is: 'iscsiuio does not run',
    host: (tree, card) => {
      card.plug(tree);
      card.load(tree);
    },
    code: ({ transport }) => (NEEDS_ADDRESS.has(transport) ? 'NO_ISCSIUIO' : 'usable'),
  },
  {
    is: 'bound to nothing',
    host: whole,
    iface: () => ({ hwaddress: undefined, ipaddress: undefined }),
    code: ({ transport }) =>
      NEEDS_HWADDRESS.has(transport) ? 'NO_HWADDRESS' : transport === 'bnx2i' ? 'NO_IPADDRESS' : 'usable',
  },
  {
    is: 'a network device that is not there',
    host: whole,
    iface: () => ({ net_ifacename: 'eth99' }),
    code: () => 'NO_NET_DEVICE',
  },
  {
    is: 'the IPv6 address of its own',
    host: whole,
    iface: () => ({ ipaddress: 'FD00:0:0::77' }),
    code: () => 'usable',
  },
];

describe.each(Object.entries(CARDS))('verifyIface() with %s', (_name, card) => {
  test.each(CASES)('verifyIface() of a card: $is', async ({ host, iface, code }) => {
    const tree = new SysfsTree();
    host(tree, card);
    const values = { transport_name: card.transport, hwaddress: card.mac, ipaddress: '10.0.0.77', ...iface?.(card) };
    expect(codeOf(verifyIface(ifaceOf(values), await tree.hardware()))).toBe(code(card));
  });

  test('verifyIface() names a card whose module is not loaded, with the command that loads it', async () => {
    const tree = new SysfsTree();
    card.plug(tree);
    tree.installModules([TRANSPORT_FACTS[card.transport].module]);
    const verdict = verifyIface(
      ifaceOf({ transport_name: card.transport, hwaddress: card.mac }),
      await tree.hardware(),
    );
    expect(verdict).toEqual({
      kind: 'unusable',
      code: 'MODULE_NOT_LOADED',
      hint: `modprobe ${card.transport}`,
      reason: `hardware is present (${card.pci}) and its module ${card.transport} is not loaded`,
    });
  });

  test('verifyIface() recognises an HBA that shows its MAC in upper case', async () => {
    const tree = new SysfsTree();
    whole(tree, card);
    for (const path of tree.host.tree.paths())
      if (path.endsWith('/hwaddress')) tree.host.tree.write(path, (tree.host.tree.read(path) ?? '').toUpperCase());
    expect(
      codeOf(
        verifyIface(
          ifaceOf({ transport_name: card.transport, hwaddress: card.mac, ipaddress: '10.0.0.77' }),
          await tree.hardware(),
        ),
      ),
    ).toBe('usable');
  });
});

test('verifyIface() distinguishes the Ethernet MAC of a card from its iSCSI MAC', async () => {
  const tree = new SysfsTree();
  whole(tree, CARDS.BROADCOM_57810);
  const verdict = verifyIface(
    ifaceOf({ transport_name: 'bnx2i', hwaddress: '00:10:18:a0:00:00', ipaddress: '10.6.0.77' }),
    await tree.hardware(),
  );
  expect(verdict).toMatchObject({
    code: 'NO_ADAPTER',
    reason: expect.stringContaining('it is that of the network device enp6s0f0; an HBA has its own'),
  });
});

test("verifyIface() names the owner of a MAC that another transport's HBA has", async () => {
  const tree = new SysfsTree();
  whole(tree, CARDS.CHELSIO_T5);
  whole(tree, CARDS.CHELSIO_T3);
  const verdict = verifyIface(
    ifaceOf({ transport_name: 'cxgb3i', hwaddress: CARDS.CHELSIO_T5.mac }),
    await tree.hardware(),
  );
  expect(verdict).toMatchObject({
    code: 'NO_ADAPTER',
    reason: expect.stringContaining('host5 has it, and is a cxgb4i HBA'),
  });
});

test('verifyIface() accepts the name that qedi makes up for a network device', async () => {
  const tree = new SysfsTree();
  whole(tree, CARDS.QLOGIC_FASTLINQ);
  const values = { transport_name: 'qedi', ipaddress: '10.11.0.77', net_ifacename: 'host17' };
  expect(verifyIface(ifaceOf(values), await tree.hardware())).toEqual({ kind: 'usable' });
});

describe('verifyIface() with tcp', () => {
  const eth = (tree: SysfsTree): void => {
    tree.netDevice({ name: 'eth0', mac: '02:FC:00:00:00:01', addresses: ['10.0.0.5/24'] });
    tree.netDevice({ name: 'eth1', mac: '02:fc:00:00:00:02', addresses: ['fe80::2/64', '169.254.7.7/16'] });
    tree.netDevice({ name: 'bond0', mac: '02:fc:00:00:00:03', lower: ['eth2'], addresses: ['169.254.7.8/16'] });
    tree.netDevice({ name: 'bond0.7', mac: '02:fc:00:00:00:03', lower: ['bond0'], addresses: ['10.0.7.5/24'] });
  };
  const cases: readonly (readonly [string, Iface, string, string | undefined])[] = [
    ['default', DEFAULT, 'usable', undefined],
    [
      'a MAC that is there, in any case',
      ifaceOf({ transport_name: 'tcp', hwaddress: '02:Fc:00:00:00:01' }),
      'usable',
      undefined,
    ],
    [
      'a MAC that is not there',
      ifaceOf({ transport_name: 'tcp', hwaddress: '02:fc:00:00:00:99' }),
      'NO_NET_DEVICE',
      undefined,
    ],
    ['a device that is there', ifaceOf({ transport_name: 'tcp', net_ifacename: 'eth0' }), 'usable', '10.9.9.9'],
    [
      'a device that is not there',
      ifaceOf({ transport_name: 'tcp', net_ifacename: 'eth9' }),
      'NO_NET_DEVICE',
      undefined,
    ],
    ['an address alone', ifaceOf({ transport_name: 'tcp', ipaddress: '10.0.0.5' }), 'NO_HWADDRESS', undefined],
    [
      'a device with link-local addresses only',
      ifaceOf({ transport_name: 'tcp', net_ifacename: 'eth1' }),
      'LINK_LOCAL_ONLY',
      'fd00::9',
    ],
    ['the same for IPv4', ifaceOf({ transport_name: 'tcp', net_ifacename: 'eth1' }), 'LINK_LOCAL_ONLY', '10.0.0.9'],
    [
      'the MAC of such a device alone',
      ifaceOf({ transport_name: 'tcp', hwaddress: '02:fc:00:00:00:02' }),
      'LINK_LOCAL_ONLY',
      '10.0.0.9',
    ],
    [
      'a MAC that another device with an address shares',
      ifaceOf({ transport_name: 'tcp', hwaddress: '02:fc:00:00:00:03' }),
      'usable',
      '10.0.0.9',
    ],
    [
      'a MAC and the name of another device: the MAC wins',
      ifaceOf({ transport_name: 'tcp', hwaddress: '02:fc:00:00:00:01', net_ifacename: 'eth1' }),
      'usable',
      '10.0.0.9',
    ],
    [
      'the same to a portal on the wire',
      ifaceOf({ transport_name: 'tcp', net_ifacename: 'eth1' }),
      'usable',
      'fe80::9',
    ],
  ];
  test.each(cases)('verifyIface() of tcp: %s', async (_name, iface, code, portal) => {
    const tree = new SysfsTree();
    eth(tree);
    expect(
      codeOf(verifyIface(iface, await tree.hardware(), portal === undefined ? undefined : { address: portal })),
    ).toBe(code);
  });

  test('verifyIface() of tcp names the device to bind to when the record has its address alone', async () => {
    const tree = new SysfsTree();
    eth(tree);
    expect(verifyIface(ifaceOf({ transport_name: 'tcp', ipaddress: '10.0.0.5' }), await tree.hardware())).toMatchObject(
      { hint: 'iscsiadm -m iface -I card0 -o update -n iface.net_ifacename -v eth0' },
    );
  });

  test('verifyIface() of tcp refuses a kernel without iscsi_tcp', async () => {
    const tree = new SysfsTree();
    tree.installModules([]);
    expect(codeOf(verifyIface(DEFAULT, await tree.hardware()))).toBe('NO_MODULE');
    tree.load('tcp');
    expect(codeOf(verifyIface(DEFAULT, await tree.hardware()))).toBe('usable');
  });
});

describe('verifyIface() with iser', () => {
  const cases: readonly (readonly [string, (tree: SysfsTree) => void, string | undefined, string])[] = [
    ['no RDMA device', () => undefined, undefined, 'NO_RDMA_PORT'],
    ['an active port', plugConnectX, undefined, 'usable'],
    [
      'every port down',
      (tree) => {
        plugConnectX(tree, ['1: DOWN', '2: INIT']);
      },
      undefined,
      'RDMA_PORT_DOWN',
    ],
    [
      'the portal on the network of the active port',
      (tree) => {
        plugConnectX(tree, ['4: ACTIVE', '1: DOWN']);
      },
      '10.12.0.9',
      'usable',
    ],
    [
      'the portal on the network of the port that is down',
      (tree) => {
        plugConnectX(tree, ['4: ACTIVE', '1: DOWN']);
      },
      '10.12.1.9',
      'RDMA_PORT_DOWN',
    ],
    [
      'R16, W-5: the same with IPv6 in upper case',
      (tree) => {
        plugConnectX(tree, ['4: ACTIVE', '1: DOWN']);
      },
      'FD00:12:1::9',
      'RDMA_PORT_DOWN',
    ],
    ['the portal behind a router', plugConnectX, '203.0.113.9', 'usable'],
    [
      'the portal on a network without RDMA',
      (tree) => {
        plugConnectX(tree);
        tree.netDevice({ name: 'eth0', mac: '02:fc:00:00:00:01', addresses: ['10.0.0.5/24'] });
      },
      '10.0.0.9',
      'RDMA_PORT_ELSEWHERE',
    ],
    [
      'a network whose prefix is not known',
      (tree) => {
        plugConnectX(tree);
        tree.netDevice({ name: 'eth0', mac: '02:fc:00:00:00:01', addresses: ['10.0.0.5'] });
      },
      '10.0.0.9',
      'usable',
    ],
    [
      'the nearer network has RDMA',
      (tree) => {
        plugConnectX(tree);
        tree.netDevice({ name: 'eth0', mac: '02:fc:00:00:00:01', addresses: ['10.0.0.5/8'] });
      },
      '10.12.0.9',
      'usable',
    ],
    [
      'a VLAN on the port',
      (tree) => {
        plugConnectX(tree);
        tree.netDevice({
          name: 'storage.7',
          mac: '0c:42:a1:0c:00:00',
          lower: ['enp12s0f0np0'],
          addresses: ['10.7.7.5/24'],
        });
      },
      '10.7.7.9',
      'usable',
    ],
    [
      'a VLAN on a bond of the ports',
      (tree) => {
        plugConnectX(tree);
        tree.netDevice({ name: 'bond0', mac: '0c:42:a1:0c:00:00', lower: ['enp12s0f0np0', 'enp12s0f1np1'] });
        tree.netDevice({ name: 'bond0.7', mac: '0c:42:a1:0c:00:00', lower: ['bond0'], addresses: ['10.7.7.5/24'] });
      },
      '10.7.7.9',
      'usable',
    ],
    ["soft RoCE's own address", plugSoftRoce, '10.98.0.1', 'usable'],
    [
      'soft RoCE down',
      (tree) => {
        plugSoftRoce(tree, '1: DOWN');
      },
      '10.98.0.1',
      'RDMA_PORT_DOWN',
    ],
    [
      'InfiniBand, whose network nobody knows',
      (tree) => {
        plugInfiniBand(tree);
        tree.netDevice({ name: 'eth0', mac: '02:fc:00:00:00:01', addresses: ['10.0.0.5/24'] });
      },
      '10.0.0.9',
      'usable',
    ],
    ['a link-local portal, which is on every network', plugSoftRoce, 'fe80::9', 'usable'],
    ['a portal by name', plugSoftRoce, 'storage.example', 'usable'],
  ];
  test.each(cases)('verifyIface() of iser: %s', async (_name, plug, portal, code) => {
    const tree = new SysfsTree();
    plug(tree);
    expect(
      codeOf(verifyIface(ISER, await tree.hardware(), portal === undefined ? undefined : { address: portal })),
    ).toBe(code);
  });

  test('verifyIface() names the RDMA port that is down, with the command for its device (R17)', async () => {
    const tree = new SysfsTree();
    plugSoftRoce(tree, '1: DOWN');
    expect(verifyIface(ISER, await tree.hardware())).toEqual({
      kind: 'unusable',
      code: 'RDMA_PORT_DOWN',
      reason: 'no RDMA port that could reach it is active: port 1 of rxe0 on rdma0, down',
      hint: 'ip link set rdma0 up',
    });
  });
});

test('verifyIface() looks anew each time: a module loaded since makes the iface usable (W-7)', async () => {
  const tree = new SysfsTree();
  const card = CARDS.CHELSIO_T5;
  const iface = ifaceOf({ transport_name: 'cxgb4i', hwaddress: card.mac });
  card.plug(tree);
  expect(codeOf(verifyIface(iface, await tree.hardware()))).toBe('MODULE_NOT_LOADED');
  card.load(tree);
  expect(codeOf(verifyIface(iface, await tree.hardware()))).toBe('usable');
});

function codeOf(verdict: Verdict): string {
  return verdict.kind === 'usable' ? 'usable' : verdict.code;
}
