import { Buffer } from 'node:buffer';
import type { BlockJob } from '../libvirt.js';
import { BLOCK_JOB_TYPE, LONGEST_STRING, MOST_AUTH_TYPES, MOST_DOMAINS, UUID_BYTES } from './protocol.js';
import type { XdrReader } from './xdr-reader.js';
import { XdrWriter } from './xdr-writer.js';

/** `remote_nonnull_domain` (src/remote/remote_protocol.x): how every call about a domain names it. */
export interface WireDomain {
  readonly name: string;
  readonly uuid: string;
  readonly id: number;
}

/** `remote_nonnull_secret` */
export interface WireSecret {
  readonly uuid: string;
  readonly usageType: number;
  readonly usageId: string;
}

/** `virNetMessageError` (src/rpc/virnetprotocol.x), without what nobody reads. */
export interface WireError {
  readonly code: number;
  readonly domain: number;
  readonly message: string | undefined;
}

/** `remote_domain_event_callback_device_removed_msg` */
export interface WireDeviceRemoved {
  readonly callbackId: number;
  readonly domain: WireDomain;
  readonly alias: string;
}

export function writeUuid(writer: XdrWriter, uuid: string): XdrWriter {
  return writer.fixedOpaque(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
}

export function writeDomain(writer: XdrWriter, { name, uuid, id }: WireDomain): XdrWriter {
  return writeUuid(writer.string(name), uuid).int(id);
}

export function writeSecret(writer: XdrWriter, { uuid, usageType, usageId }: WireSecret): XdrWriter {
  return writeUuid(writer, uuid).int(usageType).string(usageId);
}

/** A procedure's arguments, when they begin with a domain. */
export function onDomain(domain: WireDomain): XdrWriter {
  return writeDomain(new XdrWriter(), domain);
}

export function readString(reader: XdrReader): string {
  return reader.string(LONGEST_STRING);
}

export function readUuid(reader: XdrReader): string {
  const hex = reader.fixedOpaque(UUID_BYTES).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

export function readDomain(reader: XdrReader): WireDomain {
  return { name: readString(reader), uuid: readUuid(reader), id: reader.int() };
}

export function readSecret(reader: XdrReader): WireSecret {
  return { uuid: readUuid(reader), usageType: reader.int(), usageId: readString(reader) };
}

/** An answer that is one `int` with the meaning of a boolean. */
export function readFlag(reader: XdrReader): boolean {
  return reader.int() !== 0;
}

export function readAuthTypes(reader: XdrReader): readonly number[] {
  return reader.list(MOST_AUTH_TYPES, () => reader.uint());
}

export function readError(reader: XdrReader): WireError {
  return { code: reader.int(), domain: reader.int(), message: reader.optional(() => readString(reader)) };
}

export function readDeviceRemoved(reader: XdrReader): WireDeviceRemoved {
  return { callbackId: reader.int(), domain: readDomain(reader), alias: readString(reader) };
}

/** `remote_domain_get_block_job_info_ret` */
export function readBlockJob(reader: XdrReader): BlockJob | undefined {
  const found = readFlag(reader);
  const type = reader.int();
  reader.uhyper(); // the limit on its bandwidth
  const [copiedBytes, totalBytes] = [Number(reader.uhyper()), Number(reader.uhyper())];
  return found ? { kind: type === BLOCK_JOB_TYPE.copy ? 'copy' : 'other', copiedBytes, totalBytes } : undefined;
}

/** `remote_connect_list_all_domains_ret`, without the count behind the list, which says the same. */
export function readDomains(reader: XdrReader): readonly WireDomain[] {
  return reader.list(MOST_DOMAINS, () => readDomain(reader));
}
