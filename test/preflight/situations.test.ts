import { describe, expect, test } from '@jest/globals';
import { BUILT_IN_IFACES } from '../../src/iface/iface.js';
import { ifaceOfAddress } from '../../src/iface/iface-of-address.js';
import { TRANSPORTS } from '../../src/hardware/transport.js';
import { verifyIface } from '../../src/preflight/verify-iface.js';
import type { Card } from '../hardware/card.js';
import { CARDS } from '../hardware/cards/index.js';
import { ifaceOf } from '../hardware/iface-of.js';
import { SysfsTree } from '../hardware/sysfs-tree.js';

/** What is decided: the code of a verdict, or `TRANSPORT over DEVICE` of the iface that an address means. */
type Decision = string;
/** Why there is no such situation with such a card. */
interface Impossible {
  readonly cannot: string;
}

/** Every situation of a card that open-iscsi, or the kernel, tells apart. */
const SITUATIONS = {
  'no card': (card) => verdict(() => undefined, card),
  "one function of it in the host, the others a guest's": (card) =>
    verdict((tree) => {
      up(tree, card);
      for (const address of card.functions.slice(1)) tree.unplug(address);
    }, card),
  'all its functions': (card) =>
    verdict((tree) => {
      up(tree, card);
    }, card),
  'module not installed': (card) =>
    verdict((tree) => {
      card.plug(tree);
      tree.installModules([]);
    }, card),
  'module installed, not loaded': (card) =>
    verdict((tree) => {
      card.plug(tree);
      tree.installModules([card.transport]);
    }, card),
  'module loaded, no iSCSI in the firmware': (card) =>
    verdict((tree) => {
      card.plug(tree);
      tree.load(card.transport);
    }, card),
  'iscsiuio does not run': (card) =>
    verdict((tree) => {
      card.plug(tree);
      card.load(tree);
    }, card),
  'MAC in upper case, in the record': (card) =>
    verdict(
      (tree) => {
        up(tree, card);
      },
      card,
      { hwaddress: card.mac.toUpperCase() },
    ),
  'MAC of the Ethernet side': (card) =>
    verdict(
      (tree) => {
        up(tree, card);
      },
      card,
      { hwaddress: card.ethernet[0]?.mac },
    ),
  'MAC of the Ethernet side, plus one': (card) =>
    verdict(
      (tree) => {
        up(tree, card);
      },
      card,
      { hwaddress: plusOne(card.ethernet[0]?.mac ?? '') },
    ),
  'MAC in upper case, in sysfs': (card) =>
    verdict((tree) => {
      up(tree, card);
      for (const path of tree.host.tree.paths())
        if (path.endsWith('/hwaddress')) tree.host.tree.write(path, (tree.host.tree.read(path) ?? '').toUpperCase());
    }, card),
  'address of a VLAN on the Ethernet side': (card) =>
    choice((tree) => {
      up(tree, card);
      const [first] = card.ethernet;
      if (first !== undefined)
        tree.netDevice({ name: 'vlan7', mac: first.mac, lower: [first.netdev], addresses: ['10.77.0.5/24'] });
    }, '10.77.0.5'),
  'address of a bond of the Ethernet side': (card) =>
    choice((tree) => {
      up(tree, card);
      const [first] = card.ethernet;
      if (first !== undefined)
        tree.netDevice({
          name: 'bond0',
          mac: first.mac,
          lower: card.ethernet.map(({ netdev }) => netdev),
          addresses: ['10.13.0.5/24'],
        });
    }, '10.13.0.5'),
  'its IPv6 address': (card) =>
    choice((tree) => {
      up(tree, card);
    }, card.ipv6),
  'an IPv6 address in the record': (card) =>
    verdict(
      (tree) => {
        up(tree, card);
      },
      card,
      { ipaddress: 'FD00:0:0::77' },
    ),
} as const satisfies Readonly<Record<string, (card: Card) => Promise<Decision>>>;

/** Every family against every situation: a cell that is missing does not compile. */
const TABLE: Readonly<Record<keyof typeof CARDS, Readonly<Record<keyof typeof SITUATIONS, Decision | Impossible>>>> = {
  CHELSIO_T3: {
    ...common('usable'),
    "one function of it in the host, the others a guest's": {
      cannot: 'a T3 card is one function with all its ports (cxgb3_main.c, init_one)',
    },
    'MAC of the Ethernet side': 'usable',
    'MAC of the Ethernet side, plus one': 'NO_ADAPTER',
    'address of a VLAN on the Ethernet side': 'cxgb3i over 00:07:43:05:01:02',
    'address of a bond of the Ethernet side': {
      cannot: 'the card has one port; CHELSIO_T5 has the bond of its driver',
    },
    'its IPv6 address': 'tcp over eth5',
  },
  CHELSIO_T5: {
    ...common('usable'),
    'MAC of the Ethernet side': 'usable',
    'MAC of the Ethernet side, plus one': 'usable', // the other port's
    'address of a VLAN on the Ethernet side': 'cxgb4i over 00:07:43:04:aa:bb',
    'address of a bond of the Ethernet side': 'tcp over bond0',
    'its IPv6 address': 'cxgb4i over 00:07:43:04:aa:bb',
  },
  BROADCOM_5709: {
    ...common('NO_ISCSIUIO'),
    'MAC of the Ethernet side': 'NO_ADAPTER',
    'MAC of the Ethernet side, plus one': 'usable',
    'address of a VLAN on the Ethernet side': 'tcp over vlan7',
    'address of a bond of the Ethernet side': 'tcp over bond0',
    'its IPv6 address': 'tcp over eth7',
  },
  BROADCOM_57810: {
    ...common('NO_ISCSIUIO'),
    'MAC of the Ethernet side': 'NO_ADAPTER',
    'MAC of the Ethernet side, plus one': 'usable',
    'address of a VLAN on the Ethernet side': 'tcp over vlan7',
    'address of a bond of the Ethernet side': 'tcp over bond0',
    'its IPv6 address': 'tcp over enp6s0f0',
  },
  QLOGIC_4032: { ...common('usable'), ...wholeHba(), 'its IPv6 address': 'qla4xxx over 00:c0:dd:08:00:01' },
  EMULEX_SKYHAWK: {
    ...common('usable'),
    'MAC of the Ethernet side': 'NO_ADAPTER',
    'MAC of the Ethernet side, plus one': 'usable',
    'address of a VLAN on the Ethernet side': 'tcp over vlan7',
    'address of a bond of the Ethernet side': 'tcp over bond0',
    'its IPv6 address': 'be2iscsi over 00:90:fa:09:00:01',
  },
  EMULEX_LANCER: { ...common('usable'), ...wholeHba(), 'its IPv6 address': 'ocs over 00:90:fa:0a:00:02' },
  QLOGIC_FASTLINQ: {
    ...common('NO_ISCSIUIO'),
    'MAC of the Ethernet side': 'NO_ADAPTER',
    'MAC of the Ethernet side, plus one': 'NO_ADAPTER', // its own is another altogether
    'address of a VLAN on the Ethernet side': 'tcp over vlan7',
    'address of a bond of the Ethernet side': 'tcp over bond0',
    'its IPv6 address': {
      cannot:
        'the HBA has no address but that of its record until a session runs, ' +
        'and its Ethernet function is another device',
    },
  },
};

const FAMILIES = keysOf(TABLE);
const ALL_SITUATIONS = keysOf(SITUATIONS);

/** What is so of every family. */
function common(withoutIscsiuio: Decision): Readonly<Record<CommonSituation, Decision>> {
  return {
    'no card': 'NO_HARDWARE',
    "one function of it in the host, the others a guest's": 'usable',
    'all its functions': 'usable',
    'module not installed': 'NO_MODULE',
    'module installed, not loaded': 'MODULE_NOT_LOADED',
    'module loaded, no iSCSI in the firmware': 'NO_ADAPTER',
    'iscsiuio does not run': withoutIscsiuio,
    'MAC in upper case, in the record': 'usable',
    'MAC in upper case, in sysfs': 'usable',
    'an IPv6 address in the record': 'usable',
  };
}

type CommonSituation = Exclude<keyof typeof SITUATIONS, keyof ReturnType<typeof wholeHba> | 'its IPv6 address'>;

function wholeHba(): Readonly<
  Record<
    | 'MAC of the Ethernet side'
    | 'MAC of the Ethernet side, plus one'
    | 'address of a VLAN on the Ethernet side'
    | 'address of a bond of the Ethernet side',
    Impossible
  >
> {
  const none = {
    cannot:
      'a whole HBA: nothing of it is a network device, so no VLAN or bond stands on it and no MAC is beside its own',
  };
  return {
    'MAC of the Ethernet side': none,
    'MAC of the Ethernet side, plus one': none,
    'address of a VLAN on the Ethernet side': none,
    'address of a bond of the Ethernet side': none,
  };
}

const ROWS = FAMILIES.map((family) => ({ family, card: cardOf(family), decisions: TABLE[family] }));

describe.each(ROWS)('$family', ({ card, decisions }) => {
  const cells = ALL_SITUATIONS.flatMap((situation) => {
    const decision = decisions[situation];
    return typeof decision === 'string' ? [[situation, decision, SITUATIONS[situation]] as const] : [];
  });
  test.each(cells)('card with %s: %s', async (_situation, decision, decide: (card: Card) => Promise<Decision>) => {
    expect(await decide(card)).toBe(decision);
  });
});

test('table of situations has a family for every offload transport', () => {
  expect([...new Set(ROWS.map(({ card }) => card.transport))].toSorted()).toEqual(
    TRANSPORTS.filter((transport) => transport !== 'tcp' && transport !== 'iser').toSorted(),
  );
});

test.each(ROWS)(
  '$family is left out of impossible situations only',
  ({ card: { ethernet, functions, ipv6 }, decisions }) => {
    const impossible = ALL_SITUATIONS.filter((situation) => typeof decisions[situation] !== 'string');
    expect(impossible.toSorted()).toEqual(
      [
        ...(ethernet.length > 0
          ? []
          : [
              'MAC of the Ethernet side',
              'MAC of the Ethernet side, plus one',
              'address of a VLAN on the Ethernet side',
            ]),
        ...(ethernet.length > 1 ? [] : ['address of a bond of the Ethernet side']),
        ...(functions.length > 1 ? [] : ["one function of it in the host, the others a guest's"]),
        ...(ipv6 === undefined ? ['its IPv6 address'] : []),
      ].toSorted(),
    );
  },
);

function cardOf(family: keyof typeof CARDS): Card {
  return CARDS[family];
}

function keysOf<Key extends string>(table: Readonly<Record<Key, unknown>>): readonly Key[] {
  return Object.keys(table).filter((key): key is Key => key in table);
}

function up(tree: SysfsTree, card: Card): void {
  card.plug(tree);
  card.load(tree);
  tree.startIscsiuio();
}

/** Of a record with the card's MAC and an address, unless it says otherwise. */
async function verdict(
  prepare: (tree: SysfsTree) => void,
  card: Card,
  values: Readonly<Record<string, string | undefined>> = {},
): Promise<Decision> {
  const tree = new SysfsTree();
  prepare(tree);
  const verdictOf = verifyIface(
    ifaceOf({ transport_name: card.transport, hwaddress: card.mac, ipaddress: '10.0.0.77', ...values }),
    await tree.hardware(),
  );
  return verdictOf.kind === 'usable' ? 'usable' : verdictOf.code;
}

/** Of `{ ipaddress = "…" }` on a host without records. */
async function choice(prepare: (tree: SysfsTree) => void, address: string | undefined): Promise<Decision> {
  const tree = new SysfsTree();
  prepare(tree);
  const chosen = ifaceOfAddress(address ?? '', await tree.hardware(), BUILT_IN_IFACES);
  return chosen.kind === 'record'
    ? chosen.iface.name
    : `${chosen.transport} over ${chosen.hwaddress ?? chosen.netIfacename ?? 'nothing'}`;
}

function plusOne(mac: string): string {
  return mac.replace(/[\da-f]{2}$/, (last) => ((Number.parseInt(last, 16) + 1) % 256).toString(16).padStart(2, '0'));
}
