import { expect, test } from '@jest/globals';
import { TRANSPORTS } from '../../src/hardware/transport.js';
import { compareIfaceList, ifaceEntry } from '../../src/iface/compare-iface-list.js';
import { BUILT_IN_IFACES, type Iface } from '../../src/iface/iface.js';
import { parseIfaceList } from '../../src/iface/parse-iface-list.js';
import { parseIface } from '../../src/iface/parse-iface.js';
import { captured } from '../initiator/captured.js';

import fc from 'fast-check';

const RECORD = parseIface('cxgb4i.00:07:43:12:34:56', captured('ifaces/cxgb4i.00:07:43:12:34:56'));
const LISTED =
  `${captured('iface-list.txt')}cxgb4i.00:07:43:12:34:56 ` + `cxgb4i,00:07:43:12:34:56,10.99.1.7,<empty>,<empty>\n`;
const codes = (text: string, ifaces: readonly Iface[], broken: readonly string[] = []): readonly string[] =>
  compareIfaceList(parseIfaceList(text), { ifaces, broken: broken.map((name) => ({ name, reason: 'nonsense' })) }).map(
    ({ iface, code, reason }) => `${iface} ${code} ${reason}`,
  );

test('compareIfaceList() finds nothing where record and list agree', () => {
  expect(codes(LISTED, [RECORD, ...BUILT_IN_IFACES])).toEqual([]);
  expect(codes(`iface.example tcp,,,,\n${LISTED}`, [RECORD, ...BUILT_IN_IFACES])).toEqual([]);
});

test.each<[string, string, readonly Iface[], readonly string[]]>([
  [
    'a record that was not found',
    LISTED,
    BUILT_IN_IFACES,
    [
      'cxgb4i.00:07:43:12:34:56 NO_RECORD open-iscsi lists it, and no record of it was ' +
        'found: its database may be elsewhere',
    ],
  ],
  [
    'a record that is not listed',
    captured('iface-list.txt'),
    [RECORD, ...BUILT_IN_IFACES],
    ['cxgb4i.00:07:43:12:34:56 NOT_LISTED its record is there, and open-iscsi does not list it'],
  ],
  [
    'other values',
    LISTED.replace('10.99.1.7', '<empty>').replace(' cxgb4i,', ' tcp,'),
    [RECORD, ...BUILT_IN_IFACES],
    [
      'cxgb4i.00:07:43:12:34:56 LISTED_OTHERWISE open-iscsi lists transport tcp where the record has cxgb4i, ' +
        'ipaddress none where the record has 10.99.1.7',
    ],
  ],
  [
    'a list without a built-in iface',
    LISTED.replace(/^iser .*\n/m, ''),
    [RECORD, ...BUILT_IN_IFACES],
    ['iser NOT_LISTED it is built into open-iscsi, and open-iscsi does not list it'],
  ],
])('compareIfaceList() names %s', (_what, text, ifaces, expected) => {
  expect(codes(text, ifaces)).toEqual(expected);
});

test('compareIfaceList() has nothing to compare a broken record with', () => {
  expect(codes(LISTED, BUILT_IN_IFACES, [RECORD.name])).toEqual([]);
});

test('compareIfaceList() finds no difference in the list of any records', () => {
  const optional = fc.option(
    fc.stringMatching(/^[a-z0-9]{1,12}$/).filter((text) => text !== 'default'),
    { nil: undefined },
  );
  const iface = fc
    .record({
      name: fc.stringMatching(/^[a-z][a-z0-9.]{0,20}$/),
      transport: fc.constantFrom(...TRANSPORTS),
      hwaddress: optional,
      net: optional,
      address: fc.option(fc.ipV4(), { nil: undefined }),
    })
    .filter(({ name }) => !name.includes('..') && !['default', 'iser'].includes(name));
  fc.assert(
    fc.property(fc.uniqueArray(iface, { selector: ({ name }) => name }), (records) => {
      const ifaces = [
        ...records.map(({ name, transport, hwaddress, net, address }) =>
          parseIface(
            name,
            [
              `iface.transport_name = ${transport}`,
              `iface.hwaddress = ${hwaddress ?? ''}`,
              `iface.net_ifacename = ${net ?? 'default'}`,
              `iface.ipaddress = ${address ?? ''}`,
              '',
            ].join('\n'),
          ),
        ),
        ...BUILT_IN_IFACES,
      ];
      const text = ifaces
        .map(ifaceEntry)
        .map(
          ({ name, transport, hwaddress, ipaddress, netIfacename }) =>
            `${name} ` +
            `${transport},${hwaddress ?? '<empty>'},${ipaddress ?? 'default'},${netIfacename ?? 'default'},<empty>\n`,
        )
        .join('');
      expect(codes(text, ifaces)).toEqual([]);
    }),
  );
});
