import { unlessAborted } from '../../base/aborted.js';
import { errorChain } from '../../base/error-chain.js';
import type { Logger } from '../../base/logger.js';
import type { DeviceRemoved } from '../libvirt.js';
import { registerDeviceRemoved } from './calls.js';
import { readDeviceRemoved } from './messages.js';
import type { Packet } from './packet.js';
import { PROCEDURE } from './protocol.js';
import type { RpcConnection } from './rpc-connection.js';
import { XdrReader } from './xdr-reader.js';

type Listener = (event: DeviceRemoved) => void;

/**
 * Who wants to hear DEVICE_REMOVED. Each connection is asked for the events once, as soon as somebody listens, and
 * brings them as long as it lives.
 */
export class DeviceRemovedEvents {
  readonly #logger: Logger;
  readonly #listeners = new Set<{ readonly hear: Listener }>();
  readonly #registrations = new WeakMap<RpcConnection, Promise<number>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  /** @returns what takes the listener off */
  add(hear: Listener): () => void {
    const entry = { hear };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  /** Resolves once the daemon sends the events over this connection. */
  async register(connection: RpcConnection, signal: AbortSignal): Promise<void> {
    const registration = this.#registrations.get(connection) ?? this.#registered(connection);
    this.#registrations.set(connection, registration);
    await unlessAborted(registration, signal);
  }

  /** @throws {RangeError} when the message cannot be read */
  accept({ procedure, payload }: Packet): void {
    if (procedure !== PROCEDURE.domainEventCallbackDeviceRemoved) return;
    const { domain, alias } = readDeviceRemoved(new XdrReader(payload));
    for (const { hear } of [...this.#listeners]) this.#tell(hear, { domainUuid: domain.uuid, alias });
  }

  /** Shared by all who listen, so that no one listener's signal stops it. The connection's own time limit does. */
  async #registered(connection: RpcConnection): Promise<number> {
    try {
      return await connection.call(registerDeviceRemoved(), new AbortController().signal);
    } catch (error) {
      this.#registrations.delete(connection);
      throw error;
    }
  }

  #tell(hear: Listener, event: DeviceRemoved): void {
    try {
      hear(event);
    } catch (error) {
      this.#logger.warn('A listener for removed devices failed', { ...event, error: errorChain(error) });
    }
  }
}
