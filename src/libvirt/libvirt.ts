import { quoted } from '../base/quoted.js';
import type { Secret } from '../base/secret.js';

/** A domain as people name it: by name, or by UUID (recognised by its form). */
export type DomainRef =
  { readonly kind: 'name'; readonly name: string } | { readonly kind: 'uuid'; readonly uuid: string };

export interface Domain {
  readonly name: string;
  readonly uuid: string;
  readonly active: boolean;
  readonly persistent: boolean;
}

/** Which of a domain's two descriptions a change is for: the running guest, the stored configuration, or both. */
export interface DeviceScope {
  readonly live: boolean;
  readonly config: boolean;
}

/** How libvirt's list names a guest. */
export type ListedDomain = Pick<Domain, 'name' | 'uuid'>;

/** What a libvirt secret is for: nova's usage of volumes. */
export interface SecretUsage {
  readonly type: 'volume';
  readonly id: string;
}

/** A job that works on a disk of a running guest, as far as it has come. */
export interface BlockJob {
  /** A copy by `blockCopy`, or what somebody else began: a commit, a pull, a backup. */
  readonly kind: 'copy' | 'other';
  readonly copiedBytes: number;
  /**
   * Grows while the guest writes to what was copied already. That both are equal does not say that the copy is ready:
   * the description's `<mirror ready='yes'>` does.
   */
  readonly totalBytes: number;
}

/** Told once for each device that has left a running guest, by libvirt's DEVICE_REMOVED event. */
export interface DeviceRemoved {
  readonly domainUuid: string;
  /** The device's alias, such as `ua-8f1c3f6e` or `virtio-disk1`. */
  readonly alias: string;
}

/**
 * libvirt, as this library needs it. Two adapters stand behind it: libvirt's own RPC protocol over the daemon's UNIX
 * socket, and virsh for every other URI; a compute service with a binding of its own binds that one to the same token.
 * @throws {VolumeError} `LIBVIRT_UNAVAILABLE` when the daemon cannot be reached or the connection is lost during the
 * call (the next
 * call connects anew), `DOMAIN_NOT_FOUND`, `LIBVIRT_REFUSED` with libvirt's own words and `details.libvirtCode`,
 * `ABORTED`
 */
export interface Libvirt {
  lookupDomain(domain: DomainRef, signal: AbortSignal): Promise<Domain>;
  /** @param which the running guest's description, or the stored one (`VIR_DOMAIN_XML_INACTIVE`) */
  domainXml(domain: DomainRef, which: 'live' | 'config', signal: AbortSignal): Promise<string>;
  attachDevice(domain: DomainRef, deviceXml: string, scope: DeviceScope, signal: AbortSignal): Promise<void>;
  /** Asks for the device to go. That this returns proves nothing for a running guest: the guest itself must let go. */
  detachDevice(domain: DomainRef, deviceXml: string, scope: DeviceScope, signal: AbortSignal): Promise<void>;
  /**
   * Puts another description in the place of that of the disk with the same target. Of a stored description it changes
   * all, of a running guest's device hardly anything.
   */
  updateDevice(domain: DomainRef, deviceXml: string, scope: DeviceScope, signal: AbortSignal): Promise<void>;
  /** @param disk the disk's target (`vdb`) or source path */
  blockResize(domain: DomainRef, disk: string, sizeBytes: number, signal: AbortSignal): Promise<void>;
  /**
   * Begins to copy a running guest's disk to another device, which must be there and at least as large, and from then
   * on to write to both. Returns once it has begun. The guest, persistent or not, stays on its disk until
   * `blockJobAbort` pivots; when it ends before that, the copy ends with it.
   * @param disk the disk's target
   * @param targetXml a `<disk>` whose source and driver say where to copy to
   */
  blockCopy(domain: DomainRef, disk: string, targetXml: string, signal: AbortSignal): Promise<void>;
  /** @returns `undefined` when nothing works on the disk, also after a job that failed */
  blockJob(domain: DomainRef, disk: string, signal: AbortSignal): Promise<BlockJob | undefined>;
  /**
   * Ends the job on the disk. A copy that is ready can end with the guest on the new device (`pivot`); one that is not
   * is refused that. Returns once the job has ended. A call that fails may have done it: the description tells.
   */
  blockJobAbort(domain: DomainRef, disk: string, end: { readonly pivot: boolean }, signal: AbortSignal): Promise<void>;
  /** @returns the UUID of the secret of that usage, or `undefined` */
  findSecret(usage: SecretUsage, signal: AbortSignal): Promise<string | undefined>;
  /** Defines a private, persistent secret and gives it its value. @returns its UUID */
  defineSecret(usage: SecretUsage, value: Secret, signal: AbortSignal): Promise<string>;
  /** Quiet when there is none. */
  undefineSecret(usage: SecretUsage, signal: AbortSignal): Promise<void>;
  /**
   * Calls the listener for each device that leaves any guest, from the moment the promise resolves until the result is
   * called. An adapter that cannot hear events may never call it: whoever waits also looks at the XML.
   */
  onDeviceRemoved(listener: (event: DeviceRemoved) => void, signal: AbortSignal): Promise<() => Promise<void>>;
  /** Every guest that libvirt knows, running or not. */
  listDomains(signal: AbortSignal): Promise<readonly ListedDomain[]>;
  close(): Promise<void>;
}

const UUID = /^[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i;

/** @throws {SyntaxError} when the text is empty, starts with `-`, or holds a control character or `/` */
export function parseDomainRef(text: string): DomainRef {
  if (UUID.test(text)) return { kind: 'uuid', uuid: withHyphens(text) };
  // eslint-disable-next-line no-control-regex -- control characters are what is refused
  if (!/^[^-/\u0000-\u001f\u007f][^/\u0000-\u001f\u007f]*$/u.test(text)) {
    throw new SyntaxError(`Cannot read ${quoted(text)} as a domain: expected a name or a UUID`);
  }
  return { kind: 'name', name: text };
}

export function formatDomainRef(domain: DomainRef): string {
  return domain.kind === 'uuid' ? domain.uuid : domain.name;
}

function withHyphens(uuid: string): string {
  return uuid
    .replaceAll('-', '')
    .toLowerCase()
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
