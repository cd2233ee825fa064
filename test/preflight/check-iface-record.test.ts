import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalAddress } from '../../src/base/ip-address.js';
import { quoted } from '../../src/base/quoted.js';
import { checkGenerated } from '../../src/preflight/check-iface-record.js';
import { type IfaceEntry, parseIfaceList } from '../../src/iface/parse-iface-list.js';
import { TRANSPORTS } from '../../src/hardware/transport.js';
import type { Card } from '../hardware/card.js';
import { CARDS } from '../hardware/cards/index.js';
import { SysfsTree } from '../hardware/sysfs-tree.js';

describe('parseIfaceList()', () => {
  test('parseIfaceList() reads both naming rules, and every word that stands for no value', () => {
    const text = [
      'qedi.00:11:22:33:44:55.ipv4.0 qedi,00:11:22:33:44:55,default,default,<empty>',
      'bnx2i.00:10:18:A0:00:01 bnx2i,00:10:18:A0:00:01,FD00::7,(null),iqn.2026-11.org.example:me',
      'tcp0 tcp,<empty>,<empty>,lo,<empty>',
      'default tcp,<empty>,<empty>,<empty>,<empty>',
      'iser iser,<empty>,<empty>,<empty>,<empty>',
      '',
    ].join('\n');
    const unset = { hwaddress: undefined, ipaddress: undefined, netIfacename: undefined, initiatorname: undefined };
    expect(parseIfaceList(text)).toEqual([
      { ...unset, name: 'qedi.00:11:22:33:44:55.ipv4.0', transport: 'qedi', hwaddress: '00:11:22:33:44:55' },
      {
        ...unset,
        name: 'bnx2i.00:10:18:A0:00:01',
        transport: 'bnx2i',
        hwaddress: '00:10:18:a0:00:01',
        ipaddress: 'fd00::7',
        initiatorname: 'iqn.2026-11.org.example:me',
      },
      { ...unset, name: 'tcp0', transport: 'tcp', netIfacename: 'lo' },
      { ...unset, name: 'default', transport: 'tcp' },
      { ...unset, name: 'iser', transport: 'iser' },
    ]);
  });

  test.each(['tcp0', 'tcp0 tcp,a,b,c', 'tcp0 tcp,a,b,c,d,e', ' default tcp,,,,', 'Iface: default'])(
    'parseIfaceList() quotes the line %j that it does not understand',
    (line) => {
      expect(() => parseIfaceList(`default tcp,,,,\n${line}\n`)).toThrow(
        new SyntaxError(
          `Cannot read the iface line ${JSON.stringify(line)}: expected "name ` +
            'transport,hwaddress,ipaddress,net_ifacename,initiatorname"',
        ),
      );
    },
  );

  const optional = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
    fc.option(value, { nil: undefined });
  const word = fc.stringMatching(/^[a-z0-9][a-z0-9.:-]{0,20}$/).filter((text) => text !== 'default');
  const mac = fc
    .array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 })
    .map((bytes) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':'));
  const transport = fc.oneof(fc.constantFrom(...TRANSPORTS), word);
  /**
   * usr/iface.c, iface_setup_binding_from_kern_iface; libopeniscsiusr/iface.c, _fill_hw_iface_from_sys; an
   * administrator's own.
   */
  const name = fc.oneof(
    fc.tuple(transport, mac).map((parts) => parts.join('.')),
    fc.tuple(transport, mac, fc.constantFrom('ipv4', 'ipv6'), fc.nat(9)).map((parts) => parts.join('.')),
    word,
  );
  const device = fc.oneof(
    word,
    fc.tuple(word, fc.integer({ min: 1, max: 4094 })).map((parts) => parts.join('.')),
  );
  const entry: fc.Arbitrary<IfaceEntry> = fc.record({
    name,
    transport,
    hwaddress: optional(mac),
    ipaddress: optional(fc.oneof(fc.ipV4(), fc.ipV6().map(canonicalAddress))),
    netIfacename: optional(device),
    initiatorname: optional(word),
  });
  const unset = fc.constantFrom('<empty>', 'default', '(null)', '<NULL>', '');

  test('parseIfaceList() reads what iscsiadm would print of any iface, in whatever case', () => {
    fc.assert(
      fc.property(fc.array(entry), unset, (entries, none) => {
        expect(parseIfaceList(entries.map((one) => printed(one, none)).join(''))).toEqual(entries);
        expect(
          parseIfaceList(
            entries
              .map((one) =>
                printed(
                  { ...one, hwaddress: one.hwaddress?.toUpperCase(), ipaddress: one.ipaddress?.toUpperCase() },
                  none,
                ),
              )
              .join(''),
          ),
        ).toEqual(entries);
      }),
    );
  });

  test('parseIfaceList() ignores blank lines, blanks at the end and CRLF (W-7)', () => {
    const blank = fc.stringMatching(/^[ \t]{0,3}\r?$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(entry, blank, fc.array(blank, { maxLength: 2 }))), unset, (lines, none) => {
        const text = lines
          .map(([one, end, between]) =>
            [...between, printed(one, none).trimEnd() + end].map((line) => `${line}\n`).join(''),
          )
          .join('');
        expect(parseIfaceList(text)).toEqual(lines.map(([one]) => one));
      }),
    );
    expect(parseIfaceList('\n\r\n  \n')).toEqual([]);
  });

  test('parseIfaceList() of any text reads every line, or quotes the first that it cannot', () => {
    const line = fc.oneof(
      fc.string(),
      entry.map((one) => printed(one, '').trimEnd()),
      fc.stringMatching(/^[a-z. ,]{0,20}$/),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const text = lines.join('\n');
        try {
          expect(parseIfaceList(text)).toHaveLength(text.split('\n').filter((one) => one.trim() !== '').length);
        } catch (error) {
          if (!(error instanceof SyntaxError)) throw error;
          expect(text.split('\n').some((one) => error.message.includes(quoted(one.trimEnd())))).toBe(true);
        }
      }),
    );
  });
});

describe('checkGenerated()', () => {
  const generated = (card: Card, change: Partial<IfaceEntry> = {}): IfaceEntry => ({
    name: `${card.transport}.${card.mac}.ipv4.0`,
    transport: card.transport,
    hwaddress: card.mac,
    ipaddress: undefined,
    netIfacename: undefined,
    initiatorname: undefined,
    ...change,
  });
  const codes = async (card: Card, entry: IfaceEntry): Promise<readonly string[]> => {
    const tree = new SysfsTree();
    card.plug(tree);
    card.load(tree);
    return checkGenerated(entry, await tree.hardware()).map(({ code }) => code);
  };

  test.each(Object.entries(CARDS))('checkGenerated() of %s misses at most an address', async (_name, card) => {
    expect(await codes(card, generated(card))).toEqual(
      ['bnx2i', 'qedi'].includes(card.transport) ? ['IPADDRESS_MISSING'] : [],
    );
    expect(await codes(card, generated(card, { ipaddress: '10.0.0.77' }))).toEqual([]);
  });

  test.each(Object.entries(CARDS))(
    'checkGenerated() of %s names a record of a replaced card, and one with the wrong transport',
    async (_name, card) => {
      expect(await codes(card, generated(card, { hwaddress: '00:00:5e:00:53:01', ipaddress: '10.0.0.77' }))).toEqual([
        'MAC_NOT_THERE',
      ]);
      const other = card.transport === 'qla4xxx' ? 'be2iscsi' : 'qla4xxx';
      expect(await codes(card, generated(card, { transport: other, ipaddress: '10.0.0.77' }))).toEqual([
        'TRANSPORT_DIFFERS',
      ]);
    },
  );

  test('checkGenerated() names a device that is absent, and an unknown transport', async () => {
    expect(await codes(CARDS.CHELSIO_T5, generated(CARDS.CHELSIO_T5, { netIfacename: 'eth99' }))).toEqual([
      'NET_DEVICE_NOT_THERE',
    ]);
    expect(await codes(CARDS.CHELSIO_T5, generated(CARDS.CHELSIO_T5, { transport: 'cxgb5i' }))).toEqual([
      'TRANSPORT_UNKNOWN',
    ]);
    expect(
      await codes(
        CARDS.QLOGIC_FASTLINQ,
        generated(CARDS.QLOGIC_FASTLINQ, { ipaddress: '10.0.0.77', netIfacename: 'host17' }),
      ),
    ).toEqual([]);
  });

  test('checkGenerated() checks a tcp record against the network devices', async () => {
    const card = CARDS.EMULEX_SKYHAWK;
    expect(await codes(card, generated(card, { transport: 'tcp', hwaddress: '00:90:fa:09:00:00' }))).toEqual([]);
    expect(await codes(card, generated(card, { transport: 'tcp' }))).toEqual(['MAC_NOT_THERE']);
  });
});

/** open-iscsi, usr/iface.c, iface_print_flat: `"%s %s,%s,%s,%s,%s\\n"`. */
function printed(
  { name, transport, hwaddress, ipaddress, netIfacename, initiatorname }: IfaceEntry,
  unset: string,
): string {
  return (
    `${name} ` +
    `${[transport, hwaddress ?? unset, ipaddress ?? unset, netIfacename ?? unset, initiatorname ?? unset].join(',')}\n`
  );
}
