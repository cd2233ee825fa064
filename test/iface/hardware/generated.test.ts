import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkGenerated } from '../../../src/iface/check-generated.js';
import { type IfaceEntry, parseIfaceList } from '../../../src/iface/parse-iface-list.js';
import type { Card } from './card.js';
import { CARDS } from './cards/index.js';
import { SysfsTree } from './sysfs-tree.js';

describe('parseIfaceList()', () => {
  test('reads both naming rules, and every word that stands for no value', () => {
    const text = [
      'qedi.00:11:22:33:44:55.ipv4.0 qedi,00:11:22:33:44:55,default,default,<empty>', 'bnx2i.00:10:18:A0:00:01 bnx2i,00:10:18:A0:00:01,FD00::7,(null),iqn.2026-11.org.example:me',
      'tcp0 tcp,<empty>,<empty>,lo,<empty>', 'default tcp,<empty>,<empty>,<empty>,<empty>', 'iser iser,<empty>,<empty>,<empty>,<empty>', '',
    ].join('\n');
    const unset = { hwaddress: undefined, ipaddress: undefined, netIfacename: undefined, initiatorname: undefined };
    expect(parseIfaceList(text)).toEqual([
      { ...unset, name: 'qedi.00:11:22:33:44:55.ipv4.0', transport: 'qedi', hwaddress: '00:11:22:33:44:55' },
      { ...unset, name: 'bnx2i.00:10:18:A0:00:01', transport: 'bnx2i', hwaddress: '00:10:18:a0:00:01', ipaddress: 'fd00::7', initiatorname: 'iqn.2026-11.org.example:me' },
      { ...unset, name: 'tcp0', transport: 'tcp', netIfacename: 'lo' },
      { ...unset, name: 'default', transport: 'tcp' },
      { ...unset, name: 'iser', transport: 'iser' },
    ]);
  });

  test.each(['tcp0', 'tcp0 tcp,a,b,c', 'tcp0 tcp,a,b,c,d,e', ' default tcp,,,,', 'Iface: default'])('quotes the line %j that it does not understand', (line) => {
    expect(() => parseIfaceList(`default tcp,,,,\n${line}\n`)).toThrow(new SyntaxError(`Cannot read the iface line ${JSON.stringify(line)}: expected "name transport,hwaddress,ipaddress,net_ifacename,initiatorname"`));
  });

  test('reads what iscsiadm would print of any iface', () => {
    const word = fc.stringMatching(/^[a-z0-9][a-z0-9.:-]{0,20}$/).filter((text) => text !== 'default');
    const optional = fc.option(word, { nil: undefined });
    const entry = fc.record({ name: word, transport: word, hwaddress: optional, ipaddress: fc.option(fc.ipV4(), { nil: undefined }), netIfacename: optional, initiatorname: optional });
    fc.assert(fc.property(fc.array(entry), fc.constantFrom('<empty>', 'default', '(null)', '<NULL>', ''), (entries, unset) => {
      expect(parseIfaceList(entries.map((one) => `${printed(one, unset)}\n`).join(''))).toEqual(entries);
    }));
  });
});

describe('checkGenerated()', () => {
  const generated = (card: Card, change: Partial<IfaceEntry> = {}): IfaceEntry => ({
    name: `${card.transport}.${card.mac}.ipv4.0`, transport: card.transport, hwaddress: card.mac, ipaddress: undefined, netIfacename: undefined, initiatorname: undefined, ...change,
  });
  const codes = async (card: Card, entry: IfaceEntry): Promise<readonly string[]> => {
    const tree = new SysfsTree();
    card.plug(tree);
    card.load(tree);
    return checkGenerated(entry, await tree.hardware()).map(({ code }) => code);
  };

  test.each(Object.entries(CARDS))('%s: a generated record lacks at most the address', async (_name, card) => {
    expect(await codes(card, generated(card))).toEqual(['bnx2i', 'qedi'].includes(card.transport) ? ['IPADDRESS_MISSING'] : []);
    expect(await codes(card, generated(card, { ipaddress: '10.0.0.77' }))).toEqual([]);
  });

  test.each(Object.entries(CARDS))('%s: a record of a card that was replaced, and one with the wrong transport', async (_name, card) => {
    expect(await codes(card, generated(card, { hwaddress: '00:00:5e:00:53:01', ipaddress: '10.0.0.77' }))).toEqual(['MAC_NOT_THERE']);
    const other = card.transport === 'qla4xxx' ? 'be2iscsi' : 'qla4xxx';
    expect(await codes(card, generated(card, { transport: other, ipaddress: '10.0.0.77' }))).toEqual(['TRANSPORT_DIFFERS']);
  });

  test('a device that is not there, a transport that nobody knows', async () => {
    expect(await codes(CARDS.CHELSIO_T5, generated(CARDS.CHELSIO_T5, { netIfacename: 'eth99' }))).toEqual(['NET_DEVICE_NOT_THERE']);
    expect(await codes(CARDS.CHELSIO_T5, generated(CARDS.CHELSIO_T5, { transport: 'cxgb5i' }))).toEqual(['TRANSPORT_UNKNOWN']);
    expect(await codes(CARDS.QLOGIC_FASTLINQ, generated(CARDS.QLOGIC_FASTLINQ, { ipaddress: '10.0.0.77', netIfacename: 'host17' }))).toEqual([]);
  });

  test('a tcp record is checked against the network devices', async () => {
    const card = CARDS.EMULEX_SKYHAWK;
    expect(await codes(card, generated(card, { transport: 'tcp', hwaddress: '00:90:fa:09:00:00' }))).toEqual([]);
    expect(await codes(card, generated(card, { transport: 'tcp' }))).toEqual(['MAC_NOT_THERE']);
  });
});

function printed({ name, transport, hwaddress, ipaddress, netIfacename, initiatorname }: IfaceEntry, unset: string): string {
  return `${name} ${[transport, hwaddress ?? unset, ipaddress ?? unset, netIfacename ?? unset, initiatorname ?? unset].join(',')}`;
}
