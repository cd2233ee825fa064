import { Buffer } from 'node:buffer';
import { HEADER_BYTES, LENGTH_BYTES } from './protocol.js';
import { XdrReader } from './xdr-reader.js';
import { XdrWriter } from './xdr-writer.js';

/** One message of the wire: `virNetMessageHeader` (src/rpc/virnetprotocol.x) and what follows it. */
export interface Packet {
  readonly program: number;
  readonly version: number;
  readonly procedure: number;
  readonly type: number;
  readonly serial: number;
  readonly status: number;
  readonly payload: Buffer;
}

/** The packet as it goes over the socket, its length (which counts itself) in front. */
export function encodePacket({ program, version, procedure, type, serial, status, payload }: Packet): Buffer {
  const length = LENGTH_BYTES + HEADER_BYTES + payload.length;
  const head = new XdrWriter()
    .uint(length)
    .uint(program)
    .uint(version)
    .int(procedure)
    .uint(type)
    .uint(serial)
    .uint(status);
  return Buffer.concat([head.bytes(), payload]);
}

/**
 * @param bytes a whole packet without its length
 * @throws {RangeError} when there is less than a header
 */
export function decodePacket(bytes: Buffer): Packet {
  const reader = new XdrReader(bytes);
  return {
    program: reader.uint(),
    version: reader.uint(),
    procedure: reader.int(),
    type: reader.uint(),
    serial: reader.uint(),
    status: reader.uint(),
    payload: bytes.subarray(HEADER_BYTES),
  };
}
