import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeText, encodeText } from '../../src/base/byte-text.js';

test('encodeText() of decodeText() gives back any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      expect([...encodeText(decodeText(bytes))]).toEqual([...bytes]);
    }),
    { numRuns: 1000 },
  );
});

test('decodeText() and encodeText() of UTF-8 give that text and its bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const bytes = Buffer.from(text, 'utf8');
      expect(decodeText(bytes)).toBe(bytes.toString('utf8'));
      expect(Buffer.from(encodeText(bytes.toString('utf8')))).toEqual(bytes);
    }),
    { numRuns: 1000 },
  );
});

test('decodeText() keeps a byte that is no UTF-8 beside text that is', () => {
  const bytes = Buffer.from('né\xe9\u{1f4a9}', 'latin1');
  expect(encodeText(decodeText(bytes))).toEqual(bytes);
  expect(decodeText(Buffer.from([0x63, 0xe9, 0xc3, 0xa9]))).toBe('c\udce9é');
});
