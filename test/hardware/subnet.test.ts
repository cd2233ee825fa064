import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalAddress, isIP } from '../../src/base/ip-address.js';
import { isInSubnet, networkOf } from '../../src/hardware/subnet.js';

test.each([
  ['10.98.7.1/24', '10.98.7.0/24'],
  ['10.98.7.255/22', '10.98.4.0/22'],
  ['192.0.2.129/25', '192.0.2.128/25'],
  ['10.0.0.1/32', '10.0.0.1/32'],
  ['10.0.0.1/0', '0.0.0.0/0'],
  ['2001:db8::7:1/64', '2001:db8::/64'],
  ['FD00:0:0:1F::9/60', 'fd00:0:0:10::/60'],
  ['fe80::1/128', 'fe80::1/128'],
])('networkOf(%j) is %j', (subnet, network) => {
  expect(networkOf(subnet)).toBe(network);
});

test('networkOf() gives two addresses one text only where each is in the network of the other', () => {
  const pair = fc.oneof(
    fc.tuple(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 })),
    fc.tuple(fc.ipV6(), fc.ipV6(), fc.integer({ min: 0, max: 128 })),
  );
  fc.assert(
    fc.property(pair, ([one, other, prefix]) => {
      expect(networkOf(`${one}/${prefix}`) === networkOf(`${other}/${prefix}`)).toBe(
        isInSubnet(canonicalAddress(one), `${canonicalAddress(other)}/${prefix}`),
      );
      expect(isIP(networkOf(`${one}/${prefix}`).replace(/\/.*$/, ''))).toBe(isIP(one));
    }),
  );
});
