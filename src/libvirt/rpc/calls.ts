import { Buffer } from 'node:buffer';
import { quoted } from '../../base/quoted.js';
import type { Secret } from '../../base/secret.js';
import type { BlockJob, DeviceScope, DomainRef, SecretUsage } from '../libvirt.js';
import {
  onDomain,
  readAuthTypes,
  readBlockJob,
  readDomain,
  readDomains,
  readFlag,
  readSecret,
  readString,
  writeSecret,
  writeUuid,
  type WireDomain,
  type WireSecret,
} from './messages.js';
import {
  AFFECT,
  BLOCK_COPY,
  BLOCK_JOB_ABORT,
  EVENT_DEVICE_REMOVED,
  PROCEDURE,
  RESIZE_IN_BYTES,
  SECRET_USAGE,
  XML_INACTIVE,
} from './protocol.js';
import type { XdrReader } from './xdr-reader.js';
import { XdrWriter } from './xdr-writer.js';

/** A call as a value: what is asked, how the answer is read, and what it is for, as an error message says it. */
export interface RpcCall<Result> {
  readonly procedure: number;
  readonly args: XdrWriter;
  readonly read: (reader: XdrReader) => Result;
  /** Follows "Cannot". Never holds a secret. */
  readonly doing: string;
}

const nothing = (): void => undefined;

export const authList = (): RpcCall<readonly number[]> => ({
  procedure: PROCEDURE.authList,
  args: new XdrWriter(),
  read: readAuthTypes,
  doing: 'ask libvirt how to log in',
});

export const authPolkit = (): RpcCall<boolean> => ({
  procedure: PROCEDURE.authPolkit,
  args: new XdrWriter(),
  read: readFlag,
  doing: 'log in to libvirt through polkit',
});

export function connectOpen(uri: string): RpcCall<void> {
  const args = new XdrWriter();
  args.optional(uri, (text) => args.string(text)).uint(0);
  return { procedure: PROCEDURE.connectOpen, args, read: nothing, doing: `open libvirt's ${uri}` };
}

export const connectClose = (): RpcCall<void> => ({
  procedure: PROCEDURE.connectClose,
  args: new XdrWriter(),
  read: nothing,
  doing: 'close the connection to libvirt',
});

export function lookupDomain(domain: DomainRef): RpcCall<WireDomain> {
  const doing = `find guest ${quoted(domain.kind === 'uuid' ? domain.uuid : domain.name)}`;
  return domain.kind === 'uuid'
    ? {
        procedure: PROCEDURE.domainLookupByUuid,
        args: writeUuid(new XdrWriter(), domain.uuid),
        read: readDomain,
        doing,
      }
    : { procedure: PROCEDURE.domainLookupByName, args: new XdrWriter().string(domain.name), read: readDomain, doing };
}

export const domainIsActive = (domain: WireDomain): RpcCall<boolean> => ({
  procedure: PROCEDURE.domainIsActive,
  args: onDomain(domain),
  read: readFlag,
  doing: `ask whether guest ${quoted(domain.name)} runs`,
});

export const domainIsPersistent = (domain: WireDomain): RpcCall<boolean> => ({
  procedure: PROCEDURE.domainIsPersistent,
  args: onDomain(domain),
  read: readFlag,
  doing: `ask whether guest ${quoted(domain.name)} is persistent`,
});

export function domainXml(domain: WireDomain, which: 'live' | 'config'): RpcCall<string> {
  const args = onDomain(domain).uint(which === 'config' ? XML_INACTIVE : 0);
  return {
    procedure: PROCEDURE.domainGetXmlDesc,
    args,
    read: readString,
    doing: `read the description of guest ${quoted(domain.name)}`,
  };
}

export function attachDevice(domain: WireDomain, xml: string, scope: DeviceScope): RpcCall<void> {
  const args = onDomain(domain).string(xml).uint(impact(scope));
  return {
    procedure: PROCEDURE.domainAttachDeviceFlags,
    args,
    read: nothing,
    doing: `attach the device to guest ${quoted(domain.name)}`,
  };
}

export function detachDevice(domain: WireDomain, xml: string, scope: DeviceScope): RpcCall<void> {
  const args = onDomain(domain).string(xml).uint(impact(scope));
  return {
    procedure: PROCEDURE.domainDetachDeviceFlags,
    args,
    read: nothing,
    doing: `detach the device from guest ${quoted(domain.name)}`,
  };
}

export function blockResize(domain: WireDomain, disk: string, sizeBytes: number): RpcCall<void> {
  const args = onDomain(domain).string(disk).uhyper(BigInt(sizeBytes)).uint(RESIZE_IN_BYTES);
  return {
    procedure: PROCEDURE.domainBlockResize,
    args,
    read: nothing,
    doing: `resize disk ${quoted(disk)} of guest ${quoted(domain.name)}`,
  };
}

export function updateDevice(domain: WireDomain, xml: string, scope: DeviceScope): RpcCall<void> {
  const args = onDomain(domain).string(xml).uint(impact(scope));
  return {
    procedure: PROCEDURE.domainUpdateDeviceFlags,
    args,
    read: nothing,
    doing: `change the device of guest ${quoted(domain.name)}`,
  };
}

/** Without parameters: as fast as it goes, in pieces of QEMU's choice. */
export function blockCopy(domain: WireDomain, disk: string, targetXml: string): RpcCall<void> {
  const args = onDomain(domain)
    .string(disk)
    .string(targetXml)
    .uint(0)
    .uint(BLOCK_COPY.reuseExisting | BLOCK_COPY.transientJob);
  return {
    procedure: PROCEDURE.domainBlockCopy,
    args,
    read: nothing,
    doing: `copy disk ${quoted(disk)} of guest ${quoted(domain.name)}`,
  };
}

export const blockJob = (domain: WireDomain, disk: string): RpcCall<BlockJob | undefined> => ({
  procedure: PROCEDURE.domainGetBlockJobInfo,
  args: onDomain(domain).string(disk).uint(0),
  read: readBlockJob,
  doing: `ask how far the job on disk ${quoted(disk)} of guest ${quoted(domain.name)} is`,
});

export function blockJobAbort(domain: WireDomain, disk: string, { pivot }: { readonly pivot: boolean }): RpcCall<void> {
  const args = onDomain(domain)
    .string(disk)
    .uint(pivot ? BLOCK_JOB_ABORT.pivot : 0);
  return {
    procedure: PROCEDURE.domainBlockJobAbort,
    args,
    read: nothing,
    doing: `${pivot ? 'complete' : 'end'} the job on disk ${quoted(disk)} of guest ${quoted(domain.name)}`,
  };
}

export function lookupSecret({ type, id }: SecretUsage): RpcCall<WireSecret> {
  const args = new XdrWriter().int(SECRET_USAGE[type]).string(id);
  return {
    procedure: PROCEDURE.secretLookupByUsage,
    args,
    read: readSecret,
    doing: `find the secret of ${type} ${quoted(id)}`,
  };
}

export function defineSecret(xml: string, { type, id }: SecretUsage): RpcCall<WireSecret> {
  return {
    procedure: PROCEDURE.secretDefineXml,
    args: new XdrWriter().string(xml).uint(0),
    read: readSecret,
    doing: `define the secret of ${type} ${quoted(id)}`,
  };
}

export function setSecretValue(secret: WireSecret, value: Secret): RpcCall<void> {
  const args = writeSecret(new XdrWriter(), secret).opaque(Buffer.from(value.reveal(), 'utf8')).uint(0);
  return { procedure: PROCEDURE.secretSetValue, args, read: nothing, doing: `give secret ${secret.uuid} its value` };
}

export const undefineSecret = (secret: WireSecret): RpcCall<void> => ({
  procedure: PROCEDURE.secretUndefine,
  args: writeSecret(new XdrWriter(), secret),
  read: nothing,
  doing: `remove secret ${secret.uuid}`,
});

/** For all domains: no domain is named. @returns a call whose result is the callback's number */
export const registerDeviceRemoved = (): RpcCall<number> => ({
  procedure: PROCEDURE.domainEventCallbackRegisterAny,
  args: new XdrWriter().int(EVENT_DEVICE_REMOVED).uint(0),
  read: (reader) => reader.int(),
  doing: 'listen for devices that leave their guests',
});

/** Without a filter: the running and the others (virConnectListAllDomains, flags 0). */
export const listDomains = (): RpcCall<readonly WireDomain[]> => ({
  procedure: PROCEDURE.connectListAllDomains,
  args: new XdrWriter().int(1).uint(0),
  read: readDomains,
  doing: 'list the guests',
});

function impact({ live, config }: DeviceScope): number {
  return (live ? AFFECT.live : 0) | (config ? AFFECT.config : 0);
}
