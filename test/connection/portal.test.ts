import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatPortal, parsePortal, samePortal } from '../../src/connection/portal.js';

const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
const port = fc.integer({ min: 1, max: 65_535 });

/** One address in one of its many spellings. */
const spelled = (address: readonly number[]): fc.Arbitrary<string> =>
  fc
    .record({ upper: fc.boolean(), padded: fc.boolean(), run: fc.nat(7), dotted: fc.boolean() })
    .map(({ upper, padded, run, dotted }) => {
      const hex = address.map((group) => (padded ? group.toString(16).padStart(4, '0') : group.toString(16)));
      const [high = 0, low = 0] = address.slice(6);
      const tail = dotted ? [`${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`] : hex.slice(6);
      const parts = [...hex.slice(0, 6), ...tail];
      const text =
        address[run] === 0 && run < 6
          ? `${parts.slice(0, run).join(':')}::${parts.slice(run + 1).join(':')}`
          : parts.join(':');
      return upper ? text.toUpperCase() : text;
    });

test('parsePortal() of two spellings of one IPv6 address gives one portal', () => {
  const twice = groups
    .map((address) => address.map((group, index) => (group % 3 === 0 || index === 2 ? 0 : group)))
    .chain((address) => fc.tuple(spelled(address), spelled(address)));
  fc.assert(
    fc.property(twice, port, ([one, other], at) => {
      expect(parsePortal(`[${one}]:${at}`)).toEqual(parsePortal(`[${other}]:${at}`));
    }),
  );
});

test('parsePortal() reads back what formatPortal() writes', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.ipV4(),
        groups.chain(spelled).map((text) => `[${text}]`),
      ),
      port,
      (address, at) => {
        const portal = parsePortal(`${address}:${at}`);
        expect(samePortal(parsePortal(formatPortal(portal)), portal)).toBe(true);
      },
    ),
  );
});

test('parsePortal() gives a portal or a SyntaxError, whatever the text', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\[?[0-9a-f:.%]{1,40}\]?:?\d{0,6}(,\d{1,3})?$/)), (text) => {
      try {
        const portal = parsePortal(text);
        expect(parsePortal(formatPortal(portal))).toEqual({ address: portal.address, port: portal.port });
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError);
      }
    }),
    { numRuns: 2000 },
  );
});

test.each<[string, object]>([
  ['192.0.2.1', { address: '192.0.2.1', port: 3260 }],
  ['192.0.2.1:3261,2', { address: '192.0.2.1', port: 3261, tpgt: 2 }],
  ['2001:db8::1', { address: '2001:db8::1', port: 3260 }],
  ['[2001:DB8:0:0:0:0:0:1]:3260', { address: '2001:db8::1', port: 3260 }],
  ['[fe80::1%eth0]:3260', { address: 'fe80::1%eth0', port: 3260 }],
  ['192.0.2.1:3260,4294967295', { address: '192.0.2.1', port: 3260 }],
])('parsePortal("%s") is a portal', (text, portal) => {
  expect(parsePortal(text)).toEqual(portal);
});

test.each([
  '',
  ':3260',
  '192.0.2.1:',
  '192.0.2.1:99999',
  '192.0.2',
  '010.0.0.1',
  '[192.0.2.1]:3260',
  '[2001:db8::1',
  '2001:db8::1::2',
  '1:2:3:4:5:6:7:8:9',
  'a..b',
  '192.0.2.1 ',
  '192.0.2.1:3260\n',
])('parsePortal(%j) throws', (text) => {
  expect(() => parsePortal(text)).toThrow(SyntaxError);
});

describe('parsePortal() of IPv6 without brackets', () => {
  test.each<[string, object]>([
    ['2001:db8:0:0:0:0:0:21:3260', { address: '2001:db8::21', port: 3260 }],
    ['2001:db8:0:0:0:0:0:21:860,7', { address: '2001:db8::21', port: 860, tpgt: 7 }],
    ['2001:db8:0:0:0:0:0:3260', { address: '2001:db8::3260', port: 3260 }],
    ['2001:db8::3260', { address: '2001:db8::3260', port: 3260 }],
    ['2001:db8:::3261', { address: '2001:db8::', port: 3261 }],
    ['2001:db8::21:32600', { address: '2001:db8::21', port: 32_600 }],
    ['2001:db8::21:326a', { address: '2001:db8::21:326a', port: 3260 }],
    ['fe80::1%eth0:3261', { address: 'fe80::1%eth0', port: 3261 }],
    ['fe80::1:2%bond0.7', { address: 'fe80::1:2%bond0.7', port: 3260 }],
    ['64:ff9b::192.0.2.1:3261', { address: '64:ff9b::c000:201', port: 3261 }],
    ['::ffff:192.0.2.1', { address: '192.0.2.1', port: 3260 }],
    ['::1', { address: '::1', port: 3260 }],
    ['::', { address: '::', port: 3260 }],
    ['2001:db8::21,4294967295', { address: '2001:db8::21', port: 3260 }],
  ])('parsePortal() of "%s", without brackets, is one portal', (text, portal) => {
    expect(parsePortal(text)).toEqual(portal);
  });

  test.each<[string, string, string]>([
    ['2001:db8::21:3260', '[2001:db8::21]:3260', '[2001:db8::21:3260]'],
    ['2001:DB8::21:3260,1', '[2001:DB8::21]:3260', '[2001:DB8::21:3260]'],
    ['::1:3260', '[::1]:3260', '[::1:3260]'],
    ['::3260:3260', '[::3260]:3260', '[::3260:3260]'],
    ['1:2:3:4::6:7:860', '[1:2:3:4::6:7]:860', '[1:2:3:4::6:7:860]'],
    ['fd00::10:80', '[fd00::10]:80', '[fd00::10:80]'],
  ])('parsePortal() refuses "%s", without brackets, with both readings', (text, ...readings) => {
    for (const reading of readings) expect(() => parsePortal(text)).toThrow(reading);
    expect(() => parsePortal(text)).toThrow(/expected address:port/);
  });

  test.each([
    '2001:db8::21:99999',
    '2001:db8::21:0:3260:x',
    '1:2:3:4:5:6:7:8:9:3260',
    '2001:db8::1::2:3260',
    'fe80::1%eth0:0',
    'fe80::1%:3260',
    ':::3260:1',
    '[2001:db8::1]:3260:3260',
  ])('parsePortal() of "%s", without brackets, is no portal', (text) => {
    expect(() => parsePortal(text)).toThrow(SyntaxError);
  });

  test('parsePortal() without brackets never gives another address than with them', () => {
    fc.assert(
      fc.property(groups.chain(spelled), port, (address, at) => {
        const meant = parsePortal(`[${address}]:${at}`);
        try {
          const read = parsePortal(`${address}:${at}`);
          expect([formatPortal(meant), formatPortal(parsePortal(`[${address}:${at}]`))]).toContain(formatPortal(read));
          expect(samePortal(read, meant)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
