import { throwIfAborted, unlessAborted } from '../../base/aborted.js';
import { connectClose, type RpcCall } from './calls.js';
import type { RpcConnection } from './rpc-connection.js';
import { connectionLost } from './rpc-errors.js';

/** How long a daemon may take to say goodbye. */
const GOODBYE_MS = 1_000;

const CLOSED = 'this program closed the connection';

/** Keeps one connection for all callers, and makes a new one for the first call after it was lost. */
export class RpcLink {
  readonly #open: (signal: AbortSignal) => Promise<RpcConnection>;
  readonly #closing = new AbortController();
  #current: RpcConnection | undefined;
  #opening: Promise<RpcConnection> | undefined;

  /** @param open connects anew; what it gives is ready for calls */
  constructor(open: (signal: AbortSignal) => Promise<RpcConnection>) {
    this.#open = open;
  }

  async call<Result>(call: RpcCall<Result>, signal: AbortSignal): Promise<Result> {
    const connection = await this.connection(signal);
    return connection.call(call, signal);
  }

  /**
   * A connection that was open a moment ago. Callers at the same moment share one attempt; none can abort it for the
   * others.
   */
  async connection(signal: AbortSignal): Promise<RpcConnection> {
    throwIfAborted(signal);
    throwIfAborted(this.#closing.signal);
    if (this.#current?.isOpen === true) return this.#current;
    this.#opening ??= this.#openAnew();
    return unlessAborted(this.#opening, signal);
  }

  /** Says goodbye. Calls under way reject with `LIBVIRT_UNAVAILABLE`, and so does every later one. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(connectionLost('reach libvirt', CLOSED));
    await this.#opening?.catch(() => undefined); // whoever asked for it is told
    if (this.#current?.isOpen !== true) return;
    // without a goodbye it is closed too
    await this.#current.call(connectClose(), AbortSignal.timeout(GOODBYE_MS)).catch(() => undefined);
    this.#current.destroy(CLOSED);
  }

  async #openAnew(): Promise<RpcConnection> {
    try {
      this.#current = await this.#open(this.#closing.signal);
      return this.#current;
    } finally {
      this.#opening = undefined;
    }
  }
}
