import type { Buffer } from 'node:buffer';

/**
 * Reads the XDR form (RFC 4506) of one message from its start.
 * @throws {RangeError} from every method, when the bytes end too early or a length is beyond its limit
 */
export class XdrReader {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int(): number {
    return this.#take(4).readInt32BE();
  }

  uint(): number {
    return this.#take(4).readUInt32BE();
  }

  uhyper(): bigint {
    return this.#take(8).readBigUInt64BE();
  }

  fixedOpaque(length: number): Buffer {
    const bytes = this.#take(length);
    this.#take(-length & 3);
    return bytes;
  }

  /** @param limit the longest that the protocol allows */
  opaque(limit: number): Buffer {
    return this.fixedOpaque(this.#length(limit));
  }

  /** @param limit the longest that the protocol allows, in bytes */
  string(limit: number): string {
    return this.opaque(limit).toString('utf8');
  }

  optional<Value>(read: () => Value): Value | undefined {
    return this.uint() === 0 ? undefined : read();
  }

  /** @param limit the most items that the protocol allows */
  list<Item>(limit: number, read: () => Item): readonly Item[] {
    return Array.from({ length: this.#length(limit) }, read);
  }

  #length(limit: number): number {
    const length = this.uint();
    if (length > limit)
      throw new RangeError(`Cannot read an XDR item of length ${length}: at most ${limit} is allowed`);
    return length;
  }

  #take(length: number): Buffer {
    const end = this.#position + length;
    if (end > this.#bytes.length)
      throw new RangeError(
        `Cannot read ${length} bytes of XDR at ${this.#position}: the message has ${this.#bytes.length}`,
      );
    const bytes = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return bytes;
  }
}
