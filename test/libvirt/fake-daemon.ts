import { Buffer } from 'node:buffer';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onDomain, type WireDomain } from '../../src/libvirt/rpc/messages.js';
import { encodePacket, type Packet } from '../../src/libvirt/rpc/packet.js';
import { PacketSplitter } from '../../src/libvirt/rpc/packet-splitter.js';
import {
  AUTH_TYPE,
  KEEPALIVE,
  KEEPALIVE_PROGRAM,
  MESSAGE_STATUS,
  MESSAGE_TYPE,
  PROCEDURE,
  REMOTE_PROGRAM,
} from '../../src/libvirt/rpc/protocol.js';
import { XdrWriter } from '../../src/libvirt/rpc/xdr-writer.js';

export const GUEST: WireDomain = { name: 'guest', uuid: '11111111-2222-4333-8444-555555555555', id: 3 };

/** What the daemon does with a call: answers, refuses, says nothing, or does something to the socket by itself. */
export type Answer = (
  call: Packet,
  socket: Socket,
) => XdrWriter | { readonly code: number; readonly message: string } | undefined;

const yes = (): XdrWriter => new XdrWriter().int(1);

/** A daemon over a real UNIX socket that speaks as much of the protocol as a test needs, and misbehaves on demand. */
export class FakeDaemon {
  readonly path: string;
  /** All that came in, in order. */
  readonly heard: Packet[] = [];
  readonly #folder: string;
  readonly #sockets = new Set<Socket>();
  readonly #answers = new Map<number, Answer>([
    [PROCEDURE.authList, () => new XdrWriter().uint(1).uint(AUTH_TYPE.none)],
    [PROCEDURE.connectOpen, () => new XdrWriter()],
    [PROCEDURE.connectClose, () => new XdrWriter()],
    [PROCEDURE.domainLookupByName, () => onDomain(GUEST)],
    [PROCEDURE.domainLookupByUuid, () => onDomain(GUEST)],
    [PROCEDURE.domainIsActive, yes],
    [PROCEDURE.domainIsPersistent, yes],
    [PROCEDURE.domainEventCallbackRegisterAny, () => new XdrWriter().int(7)],
  ]);
  #server: Server | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
    this.path = join(folder, 'sock');
  }

  static async started(): Promise<FakeDaemon> {
    const daemon = new FakeDaemon(await mkdtemp(join(tmpdir(), 'fake-daemon-')));
    await daemon.start();
    return daemon;
  }

  get uri(): string {
    return `qemu:///system?socket=${encodeURIComponent(this.path)}`;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  answer(procedure: number, answer: Answer): void {
    this.#answers.set(procedure, answer);
  }

  async start(): Promise<void> {
    const server = (this.#server = createServer((socket) => {
      this.#serve(socket);
    }));
    await new Promise<void>((resolve) => {
      server.listen(this.path, resolve);
    });
  }

  /** As a killed daemon: the sockets end, and nobody listens. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    this.#server = undefined;
    await new Promise<void>((resolve) => {
      if (server === undefined) resolve();
      else
        server.close(() => {
          resolve();
        });
    });
  }

  async dispose(): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Sends to all who are connected. */
  send(bytes: Buffer): void {
    for (const socket of this.#sockets) socket.write(bytes);
  }

  sendDeviceRemoved(alias: string): void {
    const payload = new XdrWriter().int(7).fixedOpaque(onDomain(GUEST).bytes()).string(alias).bytes();
    this.send(
      encodePacket({
        program: REMOTE_PROGRAM.number,
        version: REMOTE_PROGRAM.version,
        procedure: PROCEDURE.domainEventCallbackDeviceRemoved,
        type: MESSAGE_TYPE.message,
        serial: 0,
        status: MESSAGE_STATUS.ok,
        payload,
      }),
    );
  }

  sendPing(): void {
    this.send(
      encodePacket({
        program: KEEPALIVE_PROGRAM.number,
        version: KEEPALIVE_PROGRAM.version,
        procedure: KEEPALIVE.ping,
        type: MESSAGE_TYPE.message,
        serial: 0,
        status: MESSAGE_STATUS.ok,
        payload: Buffer.alloc(0),
      }),
    );
  }

  #serve(socket: Socket): void {
    const splitter = new PacketSplitter();
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
    });
    socket.on('data', (chunk: Buffer) => {
      for (const packet of splitter.push(chunk)) this.#hear(packet, socket);
    });
  }

  #hear(packet: Packet, socket: Socket): void {
    this.heard.push(packet);
    const answer = this.#answers.get(packet.procedure)?.(packet, socket);
    if (answer !== undefined && packet.program === REMOTE_PROGRAM.number) socket.write(reply(packet, answer));
  }
}

/** The reply to that call. */
export function reply(call: Packet, answer: XdrWriter | { readonly code: number; readonly message: string }): Buffer {
  if (answer instanceof XdrWriter)
    return encodePacket({ ...call, type: MESSAGE_TYPE.reply, status: MESSAGE_STATUS.ok, payload: answer.bytes() });
  const payload = new XdrWriter().int(answer.code).int(10).uint(1).string(answer.message).int(2).bytes();
  return encodePacket({ ...call, type: MESSAGE_TYPE.reply, status: MESSAGE_STATUS.error, payload });
}
