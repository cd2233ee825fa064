import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { posix } from 'node:path';
import { DEFAULT_IFACE, ISER_IFACE, parseIfaceName } from '../../src/iface/iface-name.js';

test.each([
  'default',
  'iser',
  'cxgb4i.00:07:43:12:34:56.ipv4.0',
  'qedi.six',
  'eth1.bound',
  '_',
  '0',
  'a-b_c:d.e',
  'x'.repeat(64),
])('parseIfaceName(%j) is the name', (name) => {
  expect(parseIfaceName(name)).toBe(name);
});
test.each([
  '',
  '.',
  '..',
  '../nodes',
  'a..b',
  'a/b',
  '/etc/passwd',
  'a\\b',
  '-x',
  '--logout',
  '.hidden',
  ':a',
  'a b',
  ' a',
  'a ',
  'a\n',
  '\na',
  'a\nb',
  'a\r',
  'a\0',
  'a\tb',
  'ä',
  'a\u2028',
  '$(id)',
  'a;b',
  'a,b',
  '%s',
  '*',
  'x'.repeat(65),
])('parseIfaceName(%j) throws a SyntaxError on one line', (name) => {
  expect(() => parseIfaceName(name)).toThrow(SyntaxError);
  expect(() => parseIfaceName(name)).toThrow(/^Cannot read [^\n]*"[^\n]* as an iface name: expected 1 to 64 [^\n]*$/);
});
test('parseIfaceName() refuses names that would leave the folder or be an option', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('.', '/', '-', 'a', '_', ':', '\n', '\0') }), (text) => {
      let name: string;
      try {
        name = parseIfaceName(text);
      } catch {
        return;
      }
      expect(posix.dirname(posix.resolve('/etc/iscsi/ifaces', name))).toBe('/etc/iscsi/ifaces');
      expect(name).not.toMatch(/^-/);
    }),
    { numRuns: 1000 },
  );
});
test('DEFAULT_IFACE and ISER_IFACE are the built-in names of open-iscsi', () => {
  expect([DEFAULT_IFACE, ISER_IFACE]).toEqual(['default', 'iser']);
});
