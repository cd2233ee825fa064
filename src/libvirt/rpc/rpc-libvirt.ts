import process from 'node:process';
import { errorChain } from '../../base/error-chain.js';
import type { Logger } from '../../base/logger.js';
import type { Secret } from '../../base/secret.js';
import { isVolumeError } from '../../base/volume-error.js';
import type {
  BlockJob,
  DeviceRemoved,
  DeviceScope,
  Domain,
  DomainRef,
  Libvirt,
  ListedDomain,
  SecretUsage,
} from '../libvirt.js';
import { parseLocalUri, socketPaths, type LocalUri } from '../libvirt-uri.js';
import { secretXml } from '../secret-xml.js';
import * as calls from './calls.js';
import { DeviceRemovedEvents } from './device-removed-events.js';
import type { WireDomain, WireSecret } from './messages.js';
import { openConnection } from './open-connection.js';
import { LIBVIRT_ERROR } from './protocol.js';
import type { RpcConnection } from './rpc-connection.js';
import { RpcLink } from './rpc-link.js';

/**
 * Attaching to a busy guest takes seconds; the daemon itself gives up on a silent guest after 30 s
 * (src/qemu/qemu_domain.c, QEMU_JOB_WAIT_TIME).
 */
export const DEFAULT_CALL_TIMEOUT_MS = 60_000;

/** How long cleaning up after a failed call may take, whatever the caller's signal says. */
const FORGET_MS = 5_000;

export interface RpcLibvirtParts {
  /** A URI that `adapterFor` gives to `rpc`. */
  readonly uri: string;
  readonly logger: Logger;
  readonly callTimeoutMs?: number;
}

/** libvirt through its own RPC protocol over a UNIX socket of this host. Connects at the first call. */
export class RpcLibvirt implements Libvirt {
  readonly #uri: LocalUri;
  readonly #logger: Logger;
  readonly #callTimeoutMs: number;
  readonly #events: DeviceRemovedEvents;
  readonly #link: RpcLink;

  /** @throws {RangeError} when the URI names no daemon of this host */
  constructor({ uri, logger, callTimeoutMs = DEFAULT_CALL_TIMEOUT_MS }: RpcLibvirtParts) {
    const local = parseLocalUri(uri);
    if (local === undefined) throw new RangeError(`Cannot reach ${uri} over a socket of this host`);
    this.#uri = local;
    this.#logger = logger;
    this.#callTimeoutMs = callTimeoutMs;
    this.#events = new DeviceRemovedEvents(logger);
    this.#link = new RpcLink((signal) => this.#open(signal));
  }

  async lookupDomain(ref: DomainRef, signal: AbortSignal): Promise<Domain> {
    const domain = await this.#find(ref, signal);
    const [active, persistent] = await Promise.all([
      this.#link.call(calls.domainIsActive(domain), signal),
      this.#link.call(calls.domainIsPersistent(domain), signal),
    ]);
    return { name: domain.name, uuid: domain.uuid, active, persistent };
  }

  async domainXml(ref: DomainRef, which: 'live' | 'config', signal: AbortSignal): Promise<string> {
    return this.#link.call(calls.domainXml(await this.#find(ref, signal), which), signal);
  }

  async attachDevice(ref: DomainRef, deviceXml: string, scope: DeviceScope, signal: AbortSignal): Promise<void> {
    await this.#link.call(calls.attachDevice(await this.#find(ref, signal), deviceXml, scope), signal);
  }

  async detachDevice(ref: DomainRef, deviceXml: string, scope: DeviceScope, signal: AbortSignal): Promise<void> {
    await this.#link.call(calls.detachDevice(await this.#find(ref, signal), deviceXml, scope), signal);
  }

  async blockResize(ref: DomainRef, disk: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
    await this.#link.call(calls.blockResize(await this.#find(ref, signal), disk, sizeBytes), signal);
  }

  async updateDevice(ref: DomainRef, deviceXml: string, scope: DeviceScope, signal: AbortSignal): Promise<void> {
    await this.#link.call(calls.updateDevice(await this.#find(ref, signal), deviceXml, scope), signal);
  }

  async blockCopy(ref: DomainRef, disk: string, targetXml: string, signal: AbortSignal): Promise<void> {
    await this.#link.call(calls.blockCopy(await this.#find(ref, signal), disk, targetXml), signal);
  }

  async blockJob(ref: DomainRef, disk: string, signal: AbortSignal): Promise<BlockJob | undefined> {
    return this.#link.call(calls.blockJob(await this.#find(ref, signal), disk), signal);
  }

  async blockJobAbort(
    ref: DomainRef,
    disk: string,
    end: { readonly pivot: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    await this.#link.call(calls.blockJobAbort(await this.#find(ref, signal), disk, end), signal);
  }

  async findSecret(usage: SecretUsage, signal: AbortSignal): Promise<string | undefined> {
    return (await this.#secret(usage, signal))?.uuid;
  }

  async defineSecret(usage: SecretUsage, value: Secret, signal: AbortSignal): Promise<string> {
    const known = await this.#secret(usage, signal);
    const secret = await this.#link.call(calls.defineSecret(secretXml(usage, known?.uuid), usage), signal);
    try {
      await this.#link.call(calls.setSecretValue(secret, value), signal);
    } catch (error) {
      if (known === undefined) await this.#forget(secret);
      throw error;
    }
    return secret.uuid;
  }

  async undefineSecret(usage: SecretUsage, signal: AbortSignal): Promise<void> {
    const secret = await this.#secret(usage, signal);
    if (secret !== undefined)
      await unless(LIBVIRT_ERROR.noSecret, this.#link.call(calls.undefineSecret(secret), signal));
  }

  async onDeviceRemoved(listener: (event: DeviceRemoved) => void, signal: AbortSignal): Promise<() => Promise<void>> {
    const remove = this.#events.add(listener);
    try {
      await this.#events.register(await this.#link.connection(signal), signal);
    } catch (error) {
      remove();
      throw error;
    }
    return async () => {
      remove();
    };
  }

  async listDomains(signal: AbortSignal): Promise<readonly ListedDomain[]> {
    return (await this.#link.call(calls.listDomains(), signal)).map(({ name, uuid }) => ({ name, uuid }));
  }

  async close(): Promise<void> {
    await this.#link.close();
  }

  async #open(signal: AbortSignal): Promise<RpcConnection> {
    const { XDG_RUNTIME_DIR: runtimeDirectory, XDG_CACHE_HOME: cacheDirectory, HOME: home } = process.env;
    const connection = await openConnection(
      {
        uri: this.#uri.name,
        socketPaths: socketPaths(this.#uri, { runtimeDirectory, cacheDirectory, home }),
        callTimeoutMs: this.#callTimeoutMs,
        onEvent: (packet) => {
          this.#events.accept(packet);
        },
      },
      signal,
    );
    if (this.#events.isHeard) await this.#events.register(connection, signal);
    return connection;
  }

  /**
   * Takes a secret back that was defined a moment ago but got no value. What fails here is logged: the first failure is
   * told.
   */
  async #forget(secret: WireSecret): Promise<void> {
    try {
      await this.#link.call(calls.undefineSecret(secret), AbortSignal.timeout(FORGET_MS));
    } catch (error) {
      this.#logger.warn('A libvirt secret without a value was left behind', {
        uuid: secret.uuid,
        usage: secret.usageId,
        error: errorChain(error),
      });
    }
  }

  #find(ref: DomainRef, signal: AbortSignal): Promise<WireDomain> {
    return this.#link.call(calls.lookupDomain(ref), signal);
  }

  #secret(usage: SecretUsage, signal: AbortSignal): Promise<WireSecret | undefined> {
    return unless(LIBVIRT_ERROR.noSecret, this.#link.call(calls.lookupSecret(usage), signal));
  }
}

/** @returns `undefined` where libvirt answers with that error */
async function unless<Result>(libvirtCode: number, call: Promise<Result>): Promise<Result | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isVolumeError(error, 'LIBVIRT_REFUSED') && error.details.libvirtCode === libvirtCode) return undefined;
    throw error;
  }
}
