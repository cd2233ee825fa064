import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalAddress, endpointAddress, numericAddress, withoutEmbeddedIPv4 } from '../../src/base/ip-address.js';
import { isPortalName } from '../../src/connection/portal-name.js';
import { formatPortal, parsePortal } from '../../src/connection/portal.js';
import { parsePortalFolder, portalOperand, recordedPortal } from '../../src/connection/recorded-portal.js';
import { addressesMatch, kernelAddress, splitPortal } from '../fakes/open-iscsi-addresses.js';

const byte = fc.nat(255);
const ipv4 = fc.tuple(byte, byte, byte, byte);
/** Any of the ways in which inet_aton(3) takes a number. */
const number = (value: number): fc.Arbitrary<string> =>
  fc.constantFrom(
    String(value),
    `0${value.toString(8)}`,
    `0x${value.toString(16)}`,
    `0X00${value.toString(16).toUpperCase()}`,
  );
const spelledIPv4 = ([a, b, c, d]: readonly [number, number, number, number]): fc.Arbitrary<string> =>
  fc
    .oneof(
      fc.tuple(number(a), number(b), number(c), number(d)),
      fc.tuple(number(a), number(b), number(c * 256 + d)),
      fc.tuple(number(a), number((b * 256 + c) * 256 + d)),
      fc.tuple(number(((a * 256 + b) * 256 + c) * 256 + d)),
    )
    .map((parts) => parts.join('.'));

const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
const ipv6 = fc.array(group, { minLength: 8, maxLength: 8 });
const spelledIPv6 = (groups: readonly number[]): fc.Arbitrary<string> =>
  fc
    .record({
      width: fc.constantFrom(1, 4),
      upper: fc.boolean(),
      dotted: fc.boolean(),
      brackets: fc.boolean(),
      short: fc.boolean(),
    })
    .map(({ width, upper, dotted, brackets, short }) => {
      const [high = 0, low = 0] = groups.slice(6);
      const parts = [
        ...groups.slice(0, 6).map((one) => one.toString(16).padStart(width, '0')),
        ...(dotted
          ? [[high >> 8, high & 255, low >> 8, low & 255].join('.')]
          : [high, low].map((one) => one.toString(16))),
      ];
      const full = parts.join(':');
      const text = short
        ? full
            .replace(/(?:^|:)0+(?::0+)+(?=:|$)/, ':')
            .replace(/^:(?!:)/, '::')
            .replace(/([^:]):$/, '$1::')
        : full;
      const one = canonicalAddress(text) === canonicalAddress(full) ? text : full;
      return `${brackets ? '[' : ''}${upper ? one.toUpperCase() : one}${brackets ? ']' : ''}`;
    });

describe('recordedPortal()', () => {
  test('recordedPortal() of two spellings of an IPv6 address is the one portal of a connection_info', () => {
    fc.assert(
      fc.property(
        ipv6.chain((groups) =>
          fc.tuple(
            spelledIPv6(groups),
            spelledIPv6(groups),
            fc.constant(groups.map((one) => one.toString(16)).join(':')),
          ),
        ),
        ([one, other, plain]) => {
          expect(recordedPortal(one, '3260')).toEqual(recordedPortal(other, 3260));
          expect(recordedPortal(one, 3260)).toEqual(parsePortal(`[${plain}]:3260`));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('recordedPortal() of any spelling of an IPv4 address is the portal in four decimal numbers', () => {
    fc.assert(
      fc.property(
        ipv4.chain((parts) => fc.tuple(fc.constant(parts.join('.')), spelledIPv4(parts))),
        ([plain, text]) => {
          expect(recordedPortal(text, 3260)).toEqual(parsePortal(`${plain}:3260`));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("recordedPortal() of the kernel's spelling of an address is its portal", () => {
    fc.assert(
      fc.property(
        ipv6.map((groups) => groups.map((one) => one.toString(16)).join(':')),
        (text) => {
          expect(recordedPortal(kernelAddress(text), 3260)).toEqual(parsePortal(`[${text}]:3260`));
        },
      ),
    );
  });

  test.each(['Storage-1.Example.ORG', 'storage-1.example.org.', 'STORAGE-1.example.org.'])(
    'recordedPortal() of the name %s is that name',
    (text) => {
      expect(recordedPortal(text, '3261')).toEqual({ hostName: 'storage-1.example.org', port: 3261 });
    },
  );

  test.each<[string, string | number]>([
    ['', 3260],
    ['a b', 3260],
    ['-x', 3260],
    ['../x', 3260],
    ['192.0.2.1', 0],
    ['192.0.2.1', '3260x'],
    ['192.0.2.1', 65_536],
    ['256.1.1.1', 3260],
    ['1.2.3.4.5', 3260],
    ['2001:db8::1::2', 3260],
  ])('recordedPortal() of %j and the port %j is none', (address, port) => {
    expect(() => recordedPortal(address, port)).toThrow(SyntaxError);
  });
});

test.each<[string, string | undefined]>([
  ['192.0.2.010', '192.0.2.8'],
  ['192.0.522', '192.0.2.10'],
  ['0', '0.0.0.0'],
  ['4294967295', '255.255.255.255'],
  ['4294967296', undefined],
  ['192.0.2.08', undefined],
  ['192.0.2.', undefined],
  ['.', undefined],
  ['', undefined],
  ['a', undefined],
])('numericAddress(%j) is %j, as getaddrinfo(3) has it', (text, address) => {
  expect(numericAddress(text)).toBe(address);
});

test.each([
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:0201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:c000:201', '192.0.2.1'],
  ['::192.0.2.1', '::c000:201'],
  ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
  ['::ffff:0:192.0.2.1', '::ffff:0:c000:201'],
  ['192.0.2.1', '192.0.2.1'],
])('endpointAddress(%j) is %j', (text, address) => {
  expect(endpointAddress(text)).toBe(address);
});

describe('portalOperand()', () => {
  test('portalOperand() of any spelling is the same address and port to iscsiadm', () => {
    const spelled = fc.oneof(
      ipv6.chain(spelledIPv6),
      ipv4.chain(spelledIPv4),
      fc.constantFrom('storage-1.example.org', 'Storage-1', 'storage.'),
    );
    fc.assert(
      fc.property(spelled, fc.integer({ min: 1, max: 65_535 }), (text, port) => {
        const read = splitPortal(portalOperand(text, port));
        expect(read?.port).toBe(port);
        expect(addressesMatch(read?.address ?? '?', text.replace(/^\[|\]$/g, ''), new Map())).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('portalOperand() writes an embedded IPv4 address in groups, for iscsiadm and its brackets', () => {
    expect(portalOperand('::ffff:192.0.2.1', 3260)).toBe('[::ffff:c000:201]:3260');
    expect(withoutEmbeddedIPv4('fe80::192.0.2.1%eth0')).toBe('fe80::c000:201%eth0');
  });
});

test.each<[string, object | undefined]>([
  ['192.0.2.1,3260,1', { address: '192.0.2.1', port: '3260', tag: '1' }],
  ['2001:DB8:0:0::9,3260', { address: '2001:DB8:0:0::9', port: '3260', tag: undefined }],
  ['storage.,3260,-1', { address: 'storage.', port: '3260', tag: '-1' }],
  ['a file', undefined],
])('parsePortalFolder(%j) gives address, port and tag', (name, folder) => {
  expect(parsePortalFolder(name)).toEqual(folder);
});

test('formatPortal() of what recordedPortal() gives reads back as the same portal', () => {
  fc.assert(
    fc.property(fc.oneof(ipv6.chain(spelledIPv6), ipv4.chain(spelledIPv4)), (text) => {
      const portal = recordedPortal(text, 3260);
      expect(isPortalName(portal) ? undefined : parsePortal(formatPortal(portal))).toEqual(portal);
    }),
  );
});
