import { Buffer } from 'node:buffer';

/** Builds the XDR form (RFC 4506) of one message: big-endian, everything padded to four bytes. */
export class XdrWriter {
  readonly #parts: Buffer[] = [];

  /** @throws {RangeError} when the number does not fit in 32 bits, signed */
  int(value: number): this {
    const part = Buffer.alloc(4);
    part.writeInt32BE(value);
    return this.#add(part);
  }

  /** @throws {RangeError} when the number does not fit in 32 bits, unsigned */
  uint(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32BE(value);
    return this.#add(part);
  }

  /** An unsigned hyper. @throws {RangeError} when the number does not fit in 64 bits, unsigned */
  uhyper(value: bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64BE(value);
    return this.#add(part);
  }

  /** `opaque value[n]`: bytes whose number both sides know. */
  fixedOpaque(bytes: Uint8Array): this {
    return this.#add(Buffer.from(bytes)).#add(Buffer.alloc(-bytes.length & 3));
  }

  /** `opaque value<>`: bytes with their number in front. */
  opaque(bytes: Uint8Array): this {
    return this.uint(bytes.length).fixedOpaque(bytes);
  }

  /** `string value<>`, in UTF-8. */
  string(text: string): this {
    return this.opaque(Buffer.from(text, 'utf8'));
  }

  /** `type *value`: a flag, and the value when there is one. */
  optional<Value>(value: Value | undefined, write: (value: Value) => unknown): this {
    this.uint(value === undefined ? 0 : 1);
    if (value !== undefined) write(value);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #add(part: Buffer): this {
    this.#parts.push(part);
    return this;
  }
}
