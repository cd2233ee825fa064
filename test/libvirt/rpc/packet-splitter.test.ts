import { Buffer } from 'node:buffer';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodePacket, type Packet } from '../../../src/libvirt/rpc/packet.js';
import { PacketSplitter } from '../../../src/libvirt/rpc/packet-splitter.js';
import { LONGEST_MESSAGE } from '../../../src/libvirt/rpc/protocol.js';

const uint = fc.nat({ max: 0xffff_ffff });
const packet: fc.Arbitrary<Packet> = fc.record({
  program: uint,
  version: uint,
  procedure: fc.integer(),
  type: fc.nat({ max: 5 }),
  serial: uint,
  status: fc.nat({ max: 2 }),
  payload: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
});

const length = (bytes: number): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(bytes);
  return head;
};

describe('PacketSplitter', () => {
  test('PacketSplitter.push() gives the packets that were encoded, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(packet, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
        (packets, cuts) => {
          const stream = Buffer.concat(packets.map(encodePacket));
          const splitter = new PacketSplitter();
          const seen: Packet[] = [];
          for (let at = 0, turn = 0; at < stream.length; turn++) {
            const size = cuts[turn % cuts.length] ?? 1;
            seen.push(...splitter.push(stream.subarray(at, at + size)));
            at += size;
          }
          expect(seen).toEqual(packets);
        },
      ),
    );
  });

  test.each([0, 3, 27, LONGEST_MESSAGE + 5, 0xffff_ffff])('PacketSplitter.push() refuses %d bytes', (bytes) => {
    expect(() => new PacketSplitter().push(length(bytes))).toThrow(RangeError);
  });

  test('PacketSplitter.push() waits for the rest of the longest packet', () => {
    expect(new PacketSplitter().push(length(LONGEST_MESSAGE + 4))).toEqual([]);
  });
});
