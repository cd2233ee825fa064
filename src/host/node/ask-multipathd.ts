import { connect, type Socket } from 'node:net';
import { endianness } from 'node:os';

/**
 * multipath-tools, libmpathcmd/mpath_cmd.h: the abstract name has always been there, the file since 0.12.0. Node 20
 * does not reach the abstract one: its libuv (1.46) takes the zero bytes up to the end of the address for part of the
 * name. That of Node 22 (1.51) does not.
 */
export const MULTIPATHD_SOCKETS = ['/run/multipathd.socket', '\0/org/kernel/linux/storage/multipathd'] as const;

/** In front of each message stands its length, a size_t of this machine (libmpathcmd/mpath_cmd.c, mpath_send_cmd). */
const LENGTH_BYTES = ['arm', 'ia32', 'mips', 'mipsel', 'ppc'].includes(process.arch) ? 4 : 8;
const BYTE_ORDER = endianness();

/** What became of a question. */
export type MultipathdAnswer =
  | { readonly kind: 'answered'; readonly text: string }
  /** No daemon was reached. */
  | { readonly kind: 'not-asked' }
  /** It was asked, and hung up. */
  | { readonly kind: 'lost'; readonly reason: string };

/**
 * Says one command to multipathd as its program does, and reads the one message that it answers with.
 * @param sockets tried in this order
 * @throws the signal's reason
 */
export async function askMultipathd(
  words: string,
  sockets: readonly string[],
  signal: AbortSignal,
): Promise<MultipathdAnswer> {
  for (const path of sockets) {
    const answer = await askAt(path, words, signal);
    if (answer.kind !== 'not-asked') return answer;
  }
  return { kind: 'not-asked' };
}

/**
 * The command's end of the connection stays open until the answer is there: multipathd drops a client that has hung up
 * (multipathd/uxlsnr.c, handle_client).
 */
async function askAt(path: string, words: string, signal: AbortSignal): Promise<MultipathdAnswer> {
  signal.throwIfAborted();
  const socket = connect({ path });
  const stop = (): void => {
    socket.destroy();
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise<MultipathdAnswer>((resolve) => {
      let asked = false;
      let received = Buffer.alloc(0);
      socket.once('connect', () => {
        asked = true;
        socket.write(messageOf(words));
      });
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        const text = textIn(received);
        if (text !== undefined) resolve({ kind: 'answered', text });
      });
      socket.once('error', (error) => {
        resolve(asked ? { kind: 'lost', reason: error.message } : { kind: 'not-asked' });
      });
      socket.once('close', () => {
        resolve(asked ? { kind: 'lost', reason: 'multipathd hung up without an answer' } : { kind: 'not-asked' });
      });
    });
  } finally {
    signal.removeEventListener('abort', stop);
    end(socket);
    signal.throwIfAborted();
  }
}

function end(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.destroy();
}

/** Text goes with the zero byte that ends it in C. */
function messageOf(words: string): Buffer {
  const text = Buffer.from(`${words}\0`);
  const length = Buffer.alloc(LENGTH_BYTES);
  if (BYTE_ORDER === 'LE') length.writeUIntLE(text.length, 0, 4);
  else length.writeUIntBE(text.length, LENGTH_BYTES - 4, 4);
  return Buffer.concat([length, text]);
}

/** @returns `undefined` until the whole message is there */
function textIn(received: Buffer): string | undefined {
  if (received.length < LENGTH_BYTES) return undefined;
  const length = BYTE_ORDER === 'LE' ? received.readUIntLE(0, 4) : received.readUIntBE(LENGTH_BYTES - 4, 4);
  if (received.length < LENGTH_BYTES + length) return undefined;
  return received.toString('utf8', LENGTH_BYTES, LENGTH_BYTES + Math.max(0, length - 1));
}
