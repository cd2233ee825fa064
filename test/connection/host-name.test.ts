import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseHostName } from '../../src/connection/host-name.js';

/** RFC 1123, 2.1: a letter or digit at both ends. */
const LABEL = fc.stringMatching(/^[a-z][a-z0-9-]{0,61}[a-z0-9]$/);

describe('parseHostName()', () => {
  test('parseHostName() accepts every name of RFC 1123 up to 253 characters, in lower case', () => {
    fc.assert(
      fc.property(fc.array(LABEL, { minLength: 1, maxLength: 3 }), (labels) => {
        expect(parseHostName(labels.join('.').toUpperCase())).toBe(labels.join('.'));
      }),
    );
  });

  test.each([
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    '-a',
    'a-',
    'a.-b',
    'a_b',
    'a b',
    'a/b',
    'a\nb',
    '7',
    'a.7',
    '10.0.0.256',
    '--login',
    'ä.example',
    `${'a'.repeat(64)}.example`,
    Array.from({ length: 64 }, () => 'abcd').join('.'),
  ])('parseHostName() refuses %j', (text) => {
    expect(() => parseHostName(text)).toThrow(
      /Cannot read .* as a host name: expected letters, digits and "-" between dots/,
    );
  });
});
