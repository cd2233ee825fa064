import { describe, expect, test } from '@jest/globals';
import { parseIfaceName } from '../../src/iface/iface-name.js';
import { BUILT_IN_IFACES, type Iface } from '../../src/iface/iface.js';
import { parseIface } from '../../src/iface/parse-iface.js';
import { type IfaceSelector, selectIface } from '../../src/iface/select-iface.js';

const MAC = '00:07:43:12:34:56';
const OTHER_MAC = '00:07:43:12:34:57';

function record(name: string, lines: Readonly<Record<string, string>>): Iface {
  return parseIface(
    name,
    Object.entries(lines)
      .map(([key, value]) => `iface.${key} = ${value}\n`)
      .join(''),
  );
}

const card = (name: string, lines: Readonly<Record<string, string>> = {}): Iface =>
  record(name, { transport_name: 'cxgb4i', hwaddress: MAC, ...lines });
const hardware = (more: Partial<Extract<IfaceSelector, { kind: 'hardware' }>> = {}): IfaceSelector => ({
  kind: 'hardware',
  transport: 'cxgb4i',
  hwaddress: MAC,
  ipaddress: undefined,
  netIfacename: undefined,
  ...more,
});
const named = (name: string): IfaceSelector => ({ kind: 'name', name: parseIfaceName(name) });

/** The name of what is chosen among these, and the built-in ones. */
function chosen(selector: IfaceSelector, ...ifaces: readonly Iface[]): string {
  return selectIface(selector, { ifaces: [...ifaces, ...BUILT_IN_IFACES], broken: [] }).name;
}

describe('selectIface() chooses', () => {
  test('selectIface() chooses by name', () => {
    expect(chosen(named('two'), card('one'), card('two'))).toBe('two');
  });
  test.each(['default', 'iser'])('selectIface() chooses the built-in %s by name', (name) => {
    expect(chosen(named(name), card('one'))).toBe(name);
  });
  test('selectIface() chooses by transport and MAC', () => {
    expect(chosen(hardware(), card('other', { hwaddress: OTHER_MAC }), card('mine'))).toBe('mine');
  });
  test('selectIface() chooses by a MAC that the record has in capitals', () => {
    expect(chosen(hardware({ hwaddress: '00:07:43:ab:cd:ef' }), card('mine', { hwaddress: '00:07:43:AB:CD:EF' }))).toBe(
      'mine',
    );
  });
  test('selectIface() chooses no iface of another transport with the same MAC', () => {
    expect(chosen(hardware(), card('software', { transport_name: 'tcp' }), card('mine'))).toBe('mine');
  });
  test('selectIface() chooses by IP address, where one card has several', () => {
    expect(
      chosen(
        hardware({ ipaddress: '192.0.2.2' }),
        card('one', { ipaddress: '192.0.2.1' }),
        card('two', { ipaddress: '192.0.2.2' }),
      ),
    ).toBe('two');
  });
  test('selectIface() chooses by net_ifacename, where one card has several', () => {
    expect(
      chosen(
        hardware({ netIfacename: 'eth1.20' }),
        card('one', { net_ifacename: 'eth1' }),
        card('two', { net_ifacename: 'eth1.20' }),
      ),
    ).toBe('two');
  });
  test('selectIface() chooses by address alone, in any spelling', () => {
    expect(
      chosen(
        { kind: 'address', ipaddress: '2001:db8::7' },
        card('one', { ipaddress: '192.0.2.1' }),
        card('two', { ipaddress: '2001:DB8:0:0::7' }),
      ),
    ).toBe('two');
  });
});

describe('selectIface() finds none and says IFACE_NOT_FOUND with what there is', () => {
  test.each<[string, IfaceSelector]>([
    ['"absent"', named('absent')],
    ['"Mine"', named('Mine')],
    [`{ transport = "cxgb4i", hwaddress = "${OTHER_MAC}" }`, hardware({ hwaddress: OTHER_MAC })],
    [`{ transport = "bnx2i", hwaddress = "${MAC}" }`, hardware({ transport: 'bnx2i' })],
    [`{ transport = "cxgb4i", hwaddress = "${MAC}", ipaddress = "192.0.2.9" }`, hardware({ ipaddress: '192.0.2.9' })],
    [`{ transport = "cxgb4i", hwaddress = "${MAC}", net_ifacename = "eth9" }`, hardware({ netIfacename: 'eth9' })],
    ['{ ipaddress = "192.0.2.9" }', { kind: 'address', ipaddress: '192.0.2.9' }],
  ])('selectIface() is IFACE_NOT_FOUND for %s', (text, selector) => {
    expect(() => chosen(selector, card('mine', { ipaddress: '192.0.2.1', net_ifacename: 'eth1' }))).toThrow(
      expect.objectContaining({
        code: 'IFACE_NOT_FOUND',
        message: expect.stringContaining(`iscsi_iface = ${text}: this host has mine, default, iser`) as unknown,
        hint: expect.stringContaining('iscsiadm -m iface') as unknown,
      }),
    );
  });
});

describe('selectIface() says IFACE_UNUSABLE', () => {
  test.each<[string, IfaceSelector]>([
    ['MAC', hardware()],
    ['address', { kind: 'address', ipaddress: '192.0.2.1' }],
  ])('selectIface() is IFACE_UNUSABLE when several fit the %s, and names them', (_what, selector) => {
    const both = ['one', 'two'].map((name) => card(name, { ipaddress: '192.0.2.1' }));
    expect(() => chosen(selector, ...both)).toThrow(
      expect.objectContaining({
        code: 'IFACE_UNUSABLE',
        message: expect.stringMatching(/: one, two all fit$/) as unknown,
        hint: 'name one of them in iscsi_iface',
      }),
    );
  });
  test('selectIface() is IFACE_UNUSABLE when the named record is broken, with the reason', () => {
    const inventory = { ifaces: BUILT_IN_IFACES, broken: [{ name: 'mine', reason: 'its transport is "abc"' }] };
    expect(() => selectIface(named('mine'), inventory)).toThrow(
      expect.objectContaining({
        code: 'IFACE_UNUSABLE',
        message: 'Cannot use the iface mine',
        cause: expect.objectContaining({ message: 'its transport is "abc"' }) as unknown,
      }),
    );
  });
});

test('selectIface() ignores broken records of other names', () => {
  expect(
    selectIface(named('default'), { ifaces: BUILT_IN_IFACES, broken: [{ name: 'mine', reason: 'no' }] }).name,
  ).toBe('default');
});
