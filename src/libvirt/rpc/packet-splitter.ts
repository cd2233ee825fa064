import { Buffer } from 'node:buffer';
import { decodePacket, type Packet } from './packet.js';
import { HEADER_BYTES, LENGTH_BYTES, LONGEST_MESSAGE } from './protocol.js';

/** Cuts the stream of a socket into packets, however its chunks fall. */
export class PacketSplitter {
  #chunks: Buffer[] = [];
  #held = 0;

  /**
   * @returns the packets that this chunk completes
   * @throws {RangeError} when a length cannot be one of libvirt's: the stream is no RPC stream, nothing after it can be
   * trusted
   */
  push(chunk: Buffer): readonly Packet[] {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    const packets: Packet[] = [];
    for (let length = this.#nextLength(); length !== undefined && this.#held >= length; length = this.#nextLength()) {
      packets.push(decodePacket(this.#take(length).subarray(LENGTH_BYTES)));
    }
    return packets;
  }

  #nextLength(): number | undefined {
    if (this.#held < LENGTH_BYTES) return undefined;
    if ((this.#chunks[0]?.length ?? 0) < LENGTH_BYTES) this.#chunks = [Buffer.concat(this.#chunks)];
    const length = this.#chunks[0]?.readUInt32BE() ?? 0;
    if (length < LENGTH_BYTES + HEADER_BYTES || length > LENGTH_BYTES + LONGEST_MESSAGE) {
      throw new RangeError(`Cannot read libvirt's answer: a packet of ${length} bytes`);
    }
    return length;
  }

  #take(length: number): Buffer {
    const all =
      this.#chunks.length === 1 && this.#chunks[0] !== undefined ? this.#chunks[0] : Buffer.concat(this.#chunks);
    const rest = all.subarray(length);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#held = rest.length;
    return all.subarray(0, length);
  }
}
