import { describe, expect, test } from '@jest/globals';
import { BUILT_IN_IFACES, type Iface } from '../../src/iface/iface.js';
import { checkReversePath, type ReversePathFinding } from '../../src/preflight/check-rp-filter.js';
import { readReversePath } from '../../src/hardware/read-rp-filter.js';
import { ifaceOf } from '../hardware/iface-of.js';
import { SysfsTree } from '../hardware/sysfs-tree.js';

type Settings = readonly [rpFilter: number, arpIgnore: number, arpFilter: number];

const tcp = (device: string): Iface => ifaceOf({ transport_name: 'tcp', net_ifacename: device }, device);
const BY_MAC = ifaceOf({ transport_name: 'tcp', hwaddress: '02:fc:00:00:00:02' }, 'by-mac');
const [LOOSE, STRICT, QUIET]: readonly [Settings, Settings, Settings] = [
  [2, 1, 0],
  [1, 1, 0],
  [0, 1, 0],
];

function set(tree: SysfsTree, device: string, [rpFilter, arpIgnore, arpFilter]: Settings): void {
  const values = { rp_filter: rpFilter, arp_ignore: arpIgnore, arp_filter: arpFilter, arp_announce: 0 };
  for (const [key, value] of Object.entries(values))
    tree.host.tree.write(`/proc/sys/net/ipv4/conf/${device}/${key}`, `${value}\n`);
}

/**
 * eth0 and eth1 are on 10.0.0.0/24, eth2 is alone on 10.2.0.0/24, eth3 and eth4 share IPv6 and an address of their own
 * each.
 */
function plug(settings: Readonly<Record<string, Settings>>): SysfsTree {
  const tree = new SysfsTree();
  tree.netDevice({ name: 'eth0', mac: '02:fc:00:00:00:01', addresses: ['10.0.0.5/24'] });
  tree.netDevice({ name: 'eth1', mac: '02:fc:00:00:00:02', addresses: ['10.0.0.6/24', '10.0.0.7/24'] });
  tree.netDevice({ name: 'eth2', mac: '02:fc:00:00:00:03', addresses: ['10.2.0.5/24'] });
  tree.netDevice({ name: 'eth3', mac: '02:fc:00:00:00:04', addresses: ['fd00::5/64', '172.16.0.1/32'] });
  tree.netDevice({ name: 'eth4', mac: '02:fc:00:00:00:05', addresses: ['fd00::6/64', '172.16.0.1/32'] });
  for (const [device, values] of Object.entries({ all: [0, 0, 0] as const, ...settings })) set(tree, device, values);
  return tree;
}

async function found(ifaces: readonly Iface[], tree: SysfsTree): Promise<readonly ReversePathFinding[]> {
  const hardware = await tree.hardware();
  const settings = await readReversePath(
    tree.files,
    hardware.netDevices.map(({ name }) => name),
  );
  if (settings === undefined) throw new Error('The settings of all are not there');
  return checkReversePath(ifaces, hardware, settings);
}

describe('checkReversePath()', () => {
  const both = (one: Settings, other = one): Readonly<Record<string, Settings>> => ({ eth0: one, eth1: other });
  const cases: readonly (readonly [string, readonly Iface[], Readonly<Record<string, Settings>>, readonly string[]])[] =
    [
      ['two bound NICs, strict', [tcp('eth0'), tcp('eth1')], both(STRICT), ['REPLIES_DROPPED eth0,eth1']],
      ['two bound NICs, strict on one', [tcp('eth0'), tcp('eth1')], both(LOOSE, STRICT), ['REPLIES_DROPPED eth1']],
      [
        'two bound NICs, strict by all',
        [tcp('eth0'), tcp('eth1')],
        { all: STRICT, ...both(QUIET, LOOSE) },
        ['REPLIES_DROPPED eth0'],
      ],
      [
        'two bound NICs, loose by all, which is higher',
        [tcp('eth0'), tcp('eth1')],
        { all: LOOSE, ...both(STRICT) },
        [],
      ],
      ['two bound NICs, loose', [tcp('eth0'), tcp('eth1')], both(LOOSE), []],
      ['two bound NICs, without filter', [tcp('eth0'), tcp('eth1')], both(QUIET), []],
      ['one bound by its MAC', [BY_MAC], both(STRICT), ['REPLIES_DROPPED eth1']],
      ['one bound NIC, and another of the host in its network', [tcp('eth0')], both(STRICT), ['REPLIES_DROPPED eth0']],
      ['a bound NIC alone in its network', [tcp('eth2')], { eth2: STRICT, ...both(STRICT) }, []],
      ['no bound NIC', BUILT_IN_IFACES, both([1, 0, 0]), []],
      [
        'an iface bound to a card',
        [ifaceOf({ transport_name: 'cxgb4i', hwaddress: '02:fc:00:00:00:01' })],
        both([1, 0, 0]),
        [],
      ],
      [
        'IPv6, which has no such filter, and one address on two NICs',
        [tcp('eth3'), tcp('eth4')],
        { eth3: [1, 0, 0], eth4: [1, 0, 0] },
        [],
      ],
      ['ARP for each other', [tcp('eth0'), tcp('eth1')], both([2, 0, 0]), ['ARP_FLUX eth0,eth1']],
      ['ARP for each other, as arp_ignore 3 does', [tcp('eth0'), tcp('eth1')], both([2, 3, 0]), ['ARP_FLUX eth0,eth1']],
      ['ARP for their own addresses', [tcp('eth0'), tcp('eth1')], both([2, 2, 0], [2, 1, 0]), []],
      ['ARP for their own addresses by all', [tcp('eth0'), tcp('eth1')], { all: [0, 1, 0], ...both([2, 0, 0]) }, []],
      ['ARP by the routes, on one', [tcp('eth0'), tcp('eth1')], both([2, 0, 1], [2, 0, 0]), ['ARP_FLUX eth1']],
      ['ARP by the routes, by all', [tcp('eth0'), tcp('eth1')], { all: [0, 0, 1], ...both([2, 0, 0]) }, []],
      ['no ARP at all', [tcp('eth0'), tcp('eth1')], both([2, 8, 0]), []],
      ['a NIC beside the bound one that answers for it', [tcp('eth0')], both([2, 0, 0]), ['ARP_FLUX eth1']],
      ['both', [tcp('eth0'), tcp('eth1')], both([1, 0, 0]), ['REPLIES_DROPPED eth0,eth1', 'ARP_FLUX eth0,eth1']],
      ['settings that are not known', [tcp('eth0'), tcp('eth1')], {}, []],
    ];
  test.each(cases)('checkReversePath(): %s', async (_what, ifaces, settings, codes) => {
    expect((await found(ifaces, plug(settings))).map(({ code, devices }) => `${code} ${devices.join(',')}`)).toEqual(
      codes,
    );
  });

  test('checkReversePath() describes the consequence, and gives the one command that mends it', async () => {
    expect(await found([tcp('eth0'), tcp('eth1')], plug({ eth0: [1, 0, 0], eth1: [1, 0, 0] }))).toEqual([
      {
        code: 'REPLIES_DROPPED',
        devices: ['eth0', 'eth1'],
        hint: 'sysctl -w net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.eth1.rp_filter=2',
        reason:
          'eth0 and eth1 are in one network (10.0.0.0/24), and rp_filter is strict on eth0 and eth1: the kernel ' +
          'drops replies that come in on another NIC than its route to 10.0.0.0/24 ' +
          'names, and logins over it time out',
      },
      {
        code: 'ARP_FLUX',
        devices: ['eth0', 'eth1'],
        hint: 'sysctl -w net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth1.arp_ignore=1',
        reason:
          'eth0 and eth1 are in one network (10.0.0.0/24), and eth0 and eth1 answer ARP for the addresses of the ' +
          'other NICs: packets come in on a NIC that the session is not bound to, and are lost',
      },
    ]);
  });

  test('checkReversePath() writes the dot of a VLAN as sysctl needs it', async () => {
    const tree = plug({ 'eth2.7': STRICT, eth2: LOOSE });
    tree.netDevice({ name: 'eth2.7', mac: '02:fc:00:00:00:03', addresses: ['10.2.0.6/24'] });
    expect(await found([tcp('eth2.7')], tree)).toMatchObject([{ hint: 'sysctl -w net.ipv4.conf.eth2/7.rp_filter=2' }]);
  });

  test.each([
    ['REPLIES_DROPPED', { all: STRICT, eth0: STRICT, eth1: STRICT }],
    ['ARP_FLUX', { all: [0, 3, 0], eth0: [2, 0, 0], eth1: [2, 0, 0] }],
    ['ARP_FLUX', { eth0: [2, 4, 0], eth1: [2, 0, 0] }],
  ] as const)('checkReversePath() finds nothing after its command for %s', async (code, settings) => {
    const tree = plug(settings);
    const [finding] = await found([tcp('eth0'), tcp('eth1')], tree);
    expect(finding?.code).toBe(code);
    for (const [, path = '', value = ''] of (finding?.hint ?? '').matchAll(/ (net\.[^ =]+)=(\d)/g))
      tree.host.tree.write(`/proc/sys/${path.replaceAll('.', '/')}`, `${value}\n`);
    expect(await found([tcp('eth0'), tcp('eth1')], tree)).toEqual([]);
  });
});

describe('readReversePath()', () => {
  test('readReversePath() reads the settings of each device and of all', async () => {
    const tree = plug({ eth0: [1, 2, 1] });
    expect(await readReversePath(tree.files, ['eth0', 'eth0', 'eth9'])).toEqual({
      all: { rpFilter: 0, arpIgnore: 0, arpFilter: 0 },
      devices: new Map([['eth0', { rpFilter: 1, arpIgnore: 2, arpFilter: 1 }]]),
    });
  });

  test.each(['../eth0', '..', '.', '', 'all', 'default', 'eth0/..', 'eth 0', 'a:b', 'x'.repeat(16)])(
    'readReversePath() reads no file for the name %j, which no device can have',
    async (name) => {
      const tree = plug({ [name === '' ? 'eth0' : name]: STRICT, eth0: STRICT });
      const asked: string[] = [];
      const readText = tree.host.readText.bind(tree.host);
      tree.host.readText = async (path) => {
        asked.push(path);
        return await readText(path);
      };
      expect((await readReversePath(tree.files, [name]))?.devices.size).toBe(0);
      expect(asked.every((path) => path.startsWith('/proc/sys/net/ipv4/conf/all/'))).toBe(true);
    },
  );

  test('readReversePath() gives undefined where the kernel gives nothing, or no number', async () => {
    expect(await readReversePath(new SysfsTree().files, ['eth0'])).toBeUndefined();
    const tree = plug({ eth0: STRICT });
    tree.host.tree.write('/proc/sys/net/ipv4/conf/eth0/rp_filter', 'on\n');
    expect((await readReversePath(tree.files, ['eth0']))?.devices.size).toBe(0);
  });
});
