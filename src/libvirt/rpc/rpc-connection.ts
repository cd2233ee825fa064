import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { aborted, onAbort, throwIfAborted } from '../../base/aborted.js';
import type { VolumeError } from '../../base/volume-error.js';
import type { RpcCall } from './calls.js';
import { readError } from './messages.js';
import { PacketSplitter } from './packet-splitter.js';
import { encodePacket, type Packet } from './packet.js';
import { KEEPALIVE, KEEPALIVE_PROGRAM, MESSAGE_STATUS, MESSAGE_TYPE, REMOTE_PROGRAM } from './protocol.js';
import { connectionLost, refusal } from './rpc-errors.js';
import { XdrReader } from './xdr-reader.js';

interface PendingCall {
  readonly answer: (packet: Packet) => void;
  readonly lose: (why: string, cause: unknown) => void;
}

export interface RpcConnectionParts {
  readonly socket: Socket;
  /** How long the daemon may take for one answer. */
  readonly callTimeoutMs: number;
  /** Told each message of the remote program that answers no call: the events. What it throws ends the connection. */
  readonly onEvent: (packet: Packet) => void;
}

/**
 * One connection to a daemon: any number of calls at once, each answered by its serial. When the socket ends, or brings
 * what cannot be RPC, all pending calls reject with `LIBVIRT_UNAVAILABLE`, and so does every later one.
 */
export class RpcConnection {
  readonly #socket: Socket;
  readonly #callTimeoutMs: number;
  readonly #onEvent: (packet: Packet) => void;
  readonly #splitter = new PacketSplitter();
  readonly #pending = new Map<number, PendingCall>();
  #lastSerial = 0;
  #end: { readonly why: string; readonly cause: unknown } | undefined;

  constructor({ socket, callTimeoutMs, onEvent }: RpcConnectionParts) {
    this.#socket = socket;
    this.#callTimeoutMs = callTimeoutMs;
    this.#onEvent = onEvent;
    socket.on('data', (chunk: Buffer) => {
      this.#read(chunk);
    });
    socket.on('error', (error) => {
      this.#lose('the connection broke', error);
    });
    socket.on('close', () => {
      this.#lose('libvirt closed the connection', undefined);
    });
    socket.unref();
  }

  get isOpen(): boolean {
    return this.#end === undefined;
  }

  /** An aborted call rejects at once; the daemon may still do what was asked, and its answer is dropped. */
  async call<Result>({ procedure, args, read, doing }: RpcCall<Result>, signal: AbortSignal): Promise<Result> {
    throwIfAborted(signal);
    if (this.#end !== undefined) throw connectionLost(doing, this.#end.why, this.#end.cause);
    const packet = await this.#exchange(procedure, args.bytes(), doing, signal);
    try {
      if (packet.status === MESSAGE_STATUS.ok) return read(new XdrReader(packet.payload));
      throw refusal(doing, readError(new XdrReader(packet.payload)));
    } catch (error) {
      if (error instanceof RangeError) this.#lose('the answer cannot be read', error);
      throw error instanceof RangeError ? connectionLost(doing, 'the answer cannot be read', error) : error;
    }
  }

  /** Ends the connection at once. */
  destroy(why: string): void {
    this.#lose(why, undefined);
  }

  #exchange(procedure: number, payload: Buffer, doing: string, signal: AbortSignal): Promise<Packet> {
    const serial = this.#nextSerial();
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        off();
        this.#pending.delete(serial);
        if (this.#pending.size === 0) this.#socket.unref();
      };
      const fail = (error: VolumeError): void => {
        settle();
        reject(error);
      };
      const timer = setTimeout(() => {
        fail(connectionLost(doing, `no answer within ${this.#callTimeoutMs / 1000} s`));
      }, this.#callTimeoutMs);
      const off = onAbort(signal, () => {
        fail(aborted(signal));
      });
      this.#pending.set(serial, {
        answer: (packet) => {
          settle();
          resolve(packet);
        },
        lose: (why, cause) => {
          fail(connectionLost(doing, why, cause));
        },
      });
      this.#socket.ref();
      this.#send({
        program: REMOTE_PROGRAM.number,
        version: REMOTE_PROGRAM.version,
        procedure,
        type: MESSAGE_TYPE.call,
        serial,
        payload,
      });
    });
  }

  #nextSerial(): number {
    this.#lastSerial = (this.#lastSerial % 0xffff_ffff) + 1;
    return this.#lastSerial;
  }

  #send(packet: Omit<Packet, 'status'>): void {
    this.#socket.write(encodePacket({ ...packet, status: MESSAGE_STATUS.ok }));
  }

  #read(chunk: Buffer): void {
    try {
      for (const packet of this.#splitter.push(chunk)) this.#accept(packet);
    } catch (error) {
      this.#lose("it does not speak libvirt's protocol", error);
    }
  }

  #accept(packet: Packet): void {
    if (packet.program === KEEPALIVE_PROGRAM.number) {
      if (packet.procedure === KEEPALIVE.ping) this.#sendPong();
    } else if (packet.type === MESSAGE_TYPE.reply) {
      this.#pending.get(packet.serial)?.answer(packet); // none: the caller gave up on it
    } else if (packet.type === MESSAGE_TYPE.message) {
      this.#onEvent(packet);
    }
  }

  /**
   * A daemon that hears no answer to its PING for `keepalive_count` intervals closes the connection
   * (src/rpc/virkeepalive.c).
   */
  #sendPong(): void {
    this.#send({
      program: KEEPALIVE_PROGRAM.number,
      version: KEEPALIVE_PROGRAM.version,
      procedure: KEEPALIVE.pong,
      type: MESSAGE_TYPE.message,
      serial: 0,
      payload: Buffer.alloc(0),
    });
  }

  #lose(why: string, cause: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { why, cause };
    this.#socket.destroy();
    for (const call of [...this.#pending.values()]) call.lose(why, cause);
  }
}
