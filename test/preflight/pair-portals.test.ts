import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalAddress, isIP } from '../../src/base/ip-address.js';
import { BUILT_IN_IFACES, type Iface } from '../../src/iface/iface.js';
import { localEnd } from '../../src/preflight/local-end.js';
import { pairPaths } from '../../src/preflight/pair-portals.js';
import { verifyPath } from '../../src/preflight/verify-path.js';
import { CARDS } from '../hardware/cards/index.js';
import { plugConnectX } from '../hardware/cards/rdma.js';
import { ifaceOf } from '../hardware/iface-of.js';
import { SysfsTree } from '../hardware/sysfs-tree.js';

const { CHELSIO_T5, BROADCOM_57810, QLOGIC_4032, QLOGIC_FASTLINQ } = CARDS;
const named = (name: string, values: Readonly<Record<string, string>>): Iface =>
  ifaceOf({ iscsi_ifacename: name, ...values }, name);
const tcp = (device: string): Iface => named(device, { transport_name: 'tcp', net_ifacename: device });
const builtIn = (transport: string): Iface =>
  BUILT_IN_IFACES.find((iface) => iface.transport === transport) ?? tcp('none');
const [DEFAULT, ISER] = [builtIn('tcp'), builtIn('iser')];
const [ETH0, ETH1, BY_MAC, BY_ADDRESS] = [
  tcp('eth0'),
  tcp('eth1'),
  named('by-mac', { transport_name: 'tcp', hwaddress: '02:FC:00:00:00:02' }),
  named('by-address', { transport_name: 'tcp', ipaddress: '10.0.0.5' }),
];

/**
 * eth0 is on 10.0.0.0/24 and fd00:0::/64, eth1 on 10.1.0.0/24 alone, eth2 on both of the IPv4 ones; eth3 has no
 * address; eth4's has no known prefix.
 */
function nics(tree: SysfsTree): void {
  tree.netDevice({ name: 'eth0', mac: '02:fc:00:00:00:01', addresses: ['10.0.0.5/24', 'fd00::5/64', 'fe80::1/64'] });
  tree.netDevice({ name: 'eth1', mac: '02:fc:00:00:00:02', addresses: ['10.1.0.5/24'] });
  tree.netDevice({ name: 'eth2', mac: '02:fc:00:00:00:03', addresses: ['10.0.0.6/24', '10.1.0.6/24'] });
  tree.netDevice({ name: 'eth3', mac: '02:fc:00:00:00:04' });
  tree.netDevice({ name: 'eth4', mac: '02:fc:00:00:00:05', addresses: ['10.4.0.5'] });
}

const whole =
  (card: { readonly plug: (tree: SysfsTree) => void; readonly load: (tree: SysfsTree) => void }) =>
  (tree: SysfsTree): void => {
    nics(tree);
    card.plug(tree);
    card.load(tree);
  };

async function paired(
  ifaces: readonly Iface[],
  portals: readonly string[],
  plug: (tree: SysfsTree) => void = nics,
): Promise<{ readonly pairs: readonly string[]; readonly leftOut: readonly string[] }> {
  const tree = new SysfsTree();
  plug(tree);
  const { pairs, leftOut } = pairPaths(
    ifaces,
    portals.map((address) => ({ address })),
    await tree.hardware(),
  );
  return {
    pairs: pairs.map(({ iface, portal }) => `${iface.name} ${portal.address}`),
    leftOut: leftOut.map(({ iface, portal, code }) => `${iface.name} ${portal.address} ${code}`),
  };
}

describe('pairPaths() of NICs', () => {
  const cases: readonly (readonly [
    string,
    readonly Iface[],
    readonly string[],
    readonly string[],
    readonly string[],
  ])[] = [
    [
      'each on its own network',
      [ETH0, ETH1],
      ['10.0.0.9', '10.1.0.9'],
      ['eth0 10.0.0.9', 'eth1 10.1.0.9'],
      ['eth1 10.0.0.9 OTHER_NETWORK', 'eth0 10.1.0.9 OTHER_NETWORK'],
    ],
    ['on one network', [ETH0, tcp('eth2')], ['10.0.0.9'], ['eth0 10.0.0.9', 'eth2 10.0.0.9'], []],
    [
      'bound by MAC, which is as good as by name',
      [ETH0, BY_MAC],
      ['10.1.0.9'],
      ['by-mac 10.1.0.9'],
      ['eth0 10.1.0.9 OTHER_NETWORK'],
    ],
    [
      'with an address alone',
      [BY_ADDRESS, ETH1],
      ['10.0.0.9'],
      ['by-address 10.0.0.9'],
      ['eth1 10.0.0.9 OTHER_NETWORK'],
    ],
    [
      'before a portal behind a router: all',
      [ETH0, ETH1],
      ['203.0.113.9'],
      ['eth0 203.0.113.9', 'eth1 203.0.113.9'],
      [],
    ],
    [
      'before a portal on the network of a NIC that is not in the list: all',
      [ETH0],
      ['10.1.0.9'],
      ['eth0 10.1.0.9'],
      [],
    ],
    [
      'of which one is not bound: it goes where the routes lead',
      [DEFAULT, ETH0, ETH1],
      ['10.0.0.9'],
      ['default 10.0.0.9', 'eth0 10.0.0.9'],
      ['eth1 10.0.0.9 OTHER_NETWORK'],
    ],
    [
      'without IPv6 and a portal that has it',
      [ETH0, ETH1],
      ['fd00::9'],
      ['eth0 fd00::9'],
      ['eth1 fd00::9 OTHER_FAMILY'],
    ],
    [
      'all without IPv6 and a portal behind a router that has it',
      [ETH1, tcp('eth2')],
      ['2001:db8::9'],
      [],
      ['eth1 2001:db8::9 OTHER_FAMILY', 'eth2 2001:db8::9 OTHER_FAMILY'],
    ],
    [
      'of which one has no address: nothing is known of it',
      [tcp('eth3'), ETH0],
      ['10.0.0.9'],
      ['eth3 10.0.0.9', 'eth0 10.0.0.9'],
      [],
    ],
    [
      'of which one has an address whose prefix is not known',
      [tcp('eth4'), ETH0],
      ['10.0.0.9'],
      ['eth4 10.0.0.9', 'eth0 10.0.0.9'],
      [],
    ],
    [
      'of which one is not there: that is said elsewhere',
      [tcp('eth9'), ETH0],
      ['10.0.0.9'],
      ['eth9 10.0.0.9', 'eth0 10.0.0.9'],
      [],
    ],
    ['and a portal by name', [ETH0, ETH1], ['storage.example'], ['eth0 storage.example', 'eth1 storage.example'], []],
    [
      'and a link-local portal',
      [ETH0, ETH1],
      ['fe80::9%eth0'],
      ['eth0 fe80::9%eth0'],
      ['eth1 fe80::9%eth0 OTHER_FAMILY'],
    ],
    [
      'and a link-local portal on the wire of another',
      [ETH0],
      ['fe80::9%eth2'],
      [],
      ['eth0 fe80::9%eth2 OTHER_NETWORK'],
    ],
    ['none', [], ['10.0.0.9'], [], []],
    ['no portals', [ETH0], [], [], []],
  ];
  test.each(cases)('pairPaths() of NICs: %s', async (_what, ifaces, portals, pairs, leftOut) => {
    expect(await paired(ifaces, portals)).toEqual({ pairs, leftOut });
  });

  test('pairPaths() gives the reason why an iface is left out', async () => {
    const tree = new SysfsTree();
    nics(tree);
    const { leftOut } = pairPaths(
      [ETH0, ETH1],
      [{ address: '10.0.0.9' }, { address: 'fd00::9' }],
      await tree.hardware(),
    );
    expect(leftOut.map(({ reason }) => reason)).toEqual([
      'the portal 10.0.0.9 is on the network of the iface eth0 (10.0.0.5/24); this one is on 10.1.0.5/24',
      'the portal fd00::9 is IPv6, and the iface eth1 has no address of that family on eth1',
    ]);
  });

  test('pairPaths() gives the portals back as they came', async () => {
    const portal = { address: '10.0.0.9', port: 3261, tpgt: 2 };
    const { pairs } = pairPaths([ETH0], [portal], await new SysfsTree().hardware());
    expect(pairs[0]?.portal).toBe(portal);
  });
});

describe('pairPaths() of HBAs and RDMA', () => {
  const hba = (
    card: { readonly transport: string; readonly mac: string },
    values: Readonly<Record<string, string>> = {},
    name = 'card',
  ): Iface => named(name, { transport_name: card.transport, hwaddress: card.mac, ...values });

  test('pairPaths() places a Chelsio port where its network device is', async () => {
    expect(await paired([hba(CHELSIO_T5), ETH0], ['10.4.0.9', '10.0.0.9'], whole(CHELSIO_T5))).toEqual({
      pairs: ['card 10.4.0.9', 'eth0 10.0.0.9'],
      leftOut: ['eth0 10.4.0.9 OTHER_NETWORK', 'card 10.0.0.9 OTHER_NETWORK'],
    });
  });

  test('pairPaths() places a Chelsio port also where a VLAN on it is', async () => {
    const plug = (tree: SysfsTree): void => {
      whole(CHELSIO_T5)(tree);
      tree.netDevice({ name: 'vlan7', mac: CHELSIO_T5.mac, lower: ['enp4s0f4'], addresses: ['10.77.0.5/24'] });
    };
    expect(await paired([hba(CHELSIO_T5), ETH0], ['10.77.0.9'], plug)).toMatchObject({ pairs: ['card 10.77.0.9'] });
  });

  test('pairPaths() places an HBA where its address is in the network of its NIC', async () => {
    expect(
      await paired(
        [hba(BROADCOM_57810, { ipaddress: '10.6.0.77' }), ETH0],
        ['10.6.0.9', '10.0.0.9'],
        whole(BROADCOM_57810),
      ),
    ).toMatchObject({ pairs: ['card 10.6.0.9', 'eth0 10.0.0.9'] });
  });

  test.each([
    ['a mask', { ipaddress: '10.0.0.77', subnet_mask: '255.255.255.0' }, '10.0.0.9', ['card 10.0.0.9']],
    ['a prefix', { ipaddress: 'fd00:7::77', prefix_len: '64' }, 'fd00:7::9', ['card fd00:7::9']],
    ['no mask', { ipaddress: '10.0.0.77' }, '10.0.0.9', ['card 10.0.0.9', 'eth1 10.0.0.9']],
    [
      'a mask that is none',
      { ipaddress: '10.0.0.77', subnet_mask: '255.0.255.0' },
      '10.0.0.9',
      ['card 10.0.0.9', 'eth1 10.0.0.9'],
    ],
    [
      'the mask of nothing, as open-iscsi writes it',
      { ipaddress: '10.0.0.77', subnet_mask: '0.0.0.0', prefix_len: '0' },
      '10.0.0.9',
      ['card 10.0.0.9', 'eth1 10.0.0.9'],
    ],
  ] as const)('pairPaths() of an HBA whose record has its address and %s', async (_what, values, portal, pairs) => {
    expect(await paired([hba(QLOGIC_FASTLINQ, values), ETH1], [portal], whole(QLOGIC_FASTLINQ))).toMatchObject({
      pairs,
    });
  });

  test('pairPaths() lets an HBA of which nothing is known reach every portal', async () => {
    expect(await paired([hba(QLOGIC_4032), ETH0, ETH1], ['10.0.0.9'], whole(QLOGIC_4032))).toEqual({
      pairs: ['card 10.0.0.9', 'eth0 10.0.0.9'],
      leftOut: ['eth1 10.0.0.9 OTHER_NETWORK'],
    });
  });

  test.each([
    ['card', { ipaddress: '10.8.0.77' }, ['10.8.0.9'], ['fd00::9']],
    ['card', { ipaddress: 'fd00::77' }, ['fd00::9'], ['10.8.0.9']],
    ['qla4xxx.00:c0:dd:08:00:01.ipv4.0', {}, ['10.8.0.9'], ['fd00::9']],
    ['qla4xxx.00:c0:dd:08:00:01.ipv6.1', {}, ['fd00::9'], ['10.8.0.9']],
  ] as const)('pairPaths() never pairs two families: %s %j', async (name, values, reached, others) => {
    expect(await paired([hba(QLOGIC_4032, values, name)], [...reached, ...others], whole(QLOGIC_4032))).toEqual({
      pairs: reached.map((address) => `${name} ${address}`),
      leftOut: others.map((address) => `${name} ${address} OTHER_FAMILY`),
    });
  });

  test('pairPaths() pairs iser where verifyPath() allows it', async () => {
    const plug = (tree: SysfsTree): void => {
      nics(tree);
      plugConnectX(tree, ['4: ACTIVE', '1: DOWN']);
    };
    expect(await paired([ISER, ETH0], ['10.12.0.9', '10.12.1.9', '10.0.0.9'], plug)).toEqual({
      pairs: ['iser 10.12.0.9', 'eth0 10.12.0.9', 'eth0 10.12.1.9', 'eth0 10.0.0.9'],
      leftOut: ['iser 10.12.1.9 RDMA_PORT_DOWN', 'iser 10.0.0.9 RDMA_PORT_ELSEWHERE'],
    });
  });
});

describe('pairPaths() of anything', () => {
  const subnet = fc.constantFrom(
    '10.0.0.5/24',
    '10.0.1.5/24',
    '10.0.0.7/16',
    '10.1.0.5/24',
    '172.16.0.1/32',
    'fd00::5/64',
    'fd00:1::5/64',
    'fe80::5/64',
    '10.2.0.5',
  );
  const device = fc.record({ addresses: fc.uniqueArray(subnet, { maxLength: 3 }) });
  const portal = fc
    .constantFrom(
      '10.0.0.9',
      '10.0.1.9',
      '10.1.0.9',
      '203.0.113.9',
      'fd00::9',
      'fd00:1::9',
      '2001:db8::9',
      'fe80::9%nic0',
      'storage.example',
    )
    .map((address) => ({ address: isIP(address) === 0 ? address : canonicalAddress(address) }));
  const host = fc.record({
    devices: fc.array(device, { minLength: 1, maxLength: 4 }),
    portals: fc.uniqueArray(portal, { selector: ({ address }) => address, maxLength: 5 }),
    ifaces: fc.uniqueArray(
      fc.constantFrom(
        DEFAULT,
        ISER,
        tcp('nic0'),
        tcp('nic1'),
        tcp('nic2'),
        tcp('nic3'),
        named('hba', { transport_name: 'qla4xxx', hwaddress: '00:c0:dd:08:00:01' }),
      ),
      { selector: ({ name }) => name },
    ),
  });
  const hardwareOf = async (
    devices: readonly { readonly addresses: readonly string[] }[],
  ): ReturnType<SysfsTree['hardware']> => {
    const tree = new SysfsTree();
    devices.forEach(({ addresses }, index) => {
      tree.netDevice({ name: `nic${index}`, mac: `02:fc:00:00:00:0${index}`, addresses });
    });
    return await tree.hardware();
  };
  const key = ({
    iface,
    portal: { address },
  }: {
    readonly iface: Iface;
    readonly portal: { readonly address: string };
  }): string => `${address} ${iface.name}`;

  test('pairPaths() puts every iface with every portal into one list or the other, in the given order', async () => {
    await fc.assert(
      fc.asyncProperty(host, async ({ devices, portals, ifaces }) => {
        const { pairs, leftOut } = pairPaths(ifaces, portals, await hardwareOf(devices));
        const all = portals.flatMap(({ address }) => ifaces.map(({ name }) => `${address} ${name}`));
        expect([...pairs, ...leftOut].map(key).toSorted()).toEqual(all.toSorted());
        for (const list of [pairs, leftOut])
          expect(list.map(key)).toEqual(all.filter((one) => list.map(key).includes(one)));
      }),
    );
  });

  test('pairPaths() leaves an iface out as farther only where a nearer one reaches the portal', async () => {
    await fc.assert(
      fc.asyncProperty(host, async ({ devices, portals, ifaces }) => {
        const hardware = await hardwareOf(devices);
        const { pairs } = pairPaths(ifaces, portals, hardware);
        for (const { address } of portals) {
          const couldReach = ifaces.filter((iface) => {
            const { families, device: bound } = localEnd(iface, hardware);
            const family = isIP(address);
            return (
              verifyPath(iface, hardware, address) === undefined &&
              (family === 0 || families?.includes(family) !== false) &&
              (!address.includes('%') || bound === undefined || address.endsWith(`%${bound}`))
            );
          });
          expect(pairs.some((pair) => pair.portal.address === address)).toBe(couldReach.length > 0);
        }
      }),
    );
  });

  test('pairPaths() pairs the same in whatever order ifaces and portals come', async () => {
    await fc.assert(
      fc.asyncProperty(host, async ({ devices, portals, ifaces }) => {
        const hardware = await hardwareOf(devices);
        const [one, other] = [
          pairPaths(ifaces, portals, hardware),
          pairPaths(ifaces.toReversed(), portals.toReversed(), hardware),
        ];
        expect(other.pairs.map(key).toSorted()).toEqual(one.pairs.map(key).toSorted());
        expect(other.leftOut.map((path) => `${key(path)} ${path.code}`).toSorted()).toEqual(
          one.leftOut.map((path) => `${key(path)} ${path.code}`).toSorted(),
        );
      }),
    );
  });

  test('pairPaths() never pairs a bound NIC with a portal of another family than its addresses', async () => {
    await fc.assert(
      fc.asyncProperty(host, async ({ devices, portals, ifaces }) => {
        const hardware = await hardwareOf(devices);
        for (const {
          iface,
          portal: { address },
        } of pairPaths(ifaces, portals, hardware).pairs) {
          const own = hardware.netDevices.find(({ name }) => name === iface.netIfacename)?.addresses ?? [];
          expect(own.length === 0 || isIP(address) === 0 || own.some((each) => isIP(each) === isIP(address))).toBe(
            true,
          );
        }
      }),
    );
  });
});
