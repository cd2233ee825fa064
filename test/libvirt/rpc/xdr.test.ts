import { Buffer } from 'node:buffer';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { XdrReader } from '../../../src/libvirt/rpc/xdr-reader.js';
import { XdrWriter } from '../../../src/libvirt/rpc/xdr-writer.js';

const LIMIT = 1_000;
const text = fc.string({ unit: 'binary', maxLength: 60 });

describe('XdrWriter', () => {
  test('XdrWriter.bytes() pads text to four bytes, as RFC 4506 says', () => {
    expect(new XdrWriter().string('libvir').bytes().toString('hex')).toBe('000000066c696276' + '69720000');
  });

  test('XdrWriter.int() and uint() refuse what does not fit', () => {
    expect(() => new XdrWriter().int(2 ** 31)).toThrow('out of range');
    expect(() => new XdrWriter().uint(-1)).toThrow('out of range');
    expect(() => new XdrWriter().uhyper(-1n)).toThrow('out of range');
  });
});

describe('XdrReader', () => {
  test('XdrReader reads what XdrWriter wrote', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.nat(),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        text,
        fc.uint8Array({ maxLength: 50 }),
        fc.option(text, { nil: undefined }),
        (int, uint, hyper, string, bytes, optional) => {
          const writer = new XdrWriter().int(int).uint(uint).uhyper(hyper).string(string).opaque(bytes);
          writer
            .optional(optional, (value) => writer.string(value))
            .fixedOpaque(bytes)
            .int(-1);
          const reader = new XdrReader(writer.bytes());
          const read = [
            reader.int(),
            reader.uint(),
            reader.uhyper(),
            reader.string(LIMIT),
            new Uint8Array(reader.opaque(LIMIT)),
            reader.optional(() => reader.string(LIMIT)),
            new Uint8Array(reader.fixedOpaque(bytes.length)),
            reader.int(),
          ];
          expect(read).toEqual([int, uint, hyper, string, bytes, optional, bytes, -1]);
        },
      ),
    );
  });

  test('XdrReader throws RangeError on bytes that end early, and never reads beyond them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const reader = new XdrReader(Buffer.from(bytes));
        const readOn = (): void => {
          for (;;) reader.string(LIMIT);
        };
        expect(readOn).toThrow(RangeError);
      }),
    );
  });

  test('XdrReader refuses a length beyond the limit before it makes room for it', () => {
    const reader = new XdrReader(new XdrWriter().uint(0xffff_ffff).bytes());
    expect(() => reader.list(20, () => reader.uint())).toThrow('at most 20');
  });
});
