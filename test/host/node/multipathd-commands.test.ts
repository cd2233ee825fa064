import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { endianness } from 'node:os';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Command, CommandRunner } from '../../../src/host/command.js';
import { MultipathdCommands } from '../../../src/host/node/multipathd-commands.js';
import { RecordedLog } from '../../driver/recorded-world.js';

const SIGNAL = new AbortController().signal;
const PROGRAM: CommandRunner = {
  run: async ({ program }) => ({ exitCode: 0, stdout: `the program ${program}`, stderr: '' }),
};
const daemons: Server[] = [];
afterEach(() => {
  for (const daemon of daemons.splice(0)) daemon.close();
});

function asks(...args: readonly string[]): Command {
  return { program: 'multipathd', args, patience: { kind: 'kill', ms: 5_000 } };
}

/**
 * A multipathd at an abstract socket. What it says to a command is its answer; `undefined` is to hang up, 'silence' to
 * say nothing.
 */
async function daemon(answer: (words: string) => string | undefined, chunkBytes = Infinity): Promise<string> {
  const path = `\0libvirt-volume-drivers/${process.pid}/${daemons.length}-${performance.now()}`;
  const server = createServer((client) => {
    let received = Buffer.alloc(0);
    client.on('error', () => undefined);
    client.on('end', () => {
      client.destroy();
    }); // the real one drops who hangs up (multipathd/uxlsnr.c, handle_client)
    client.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 8 || received.length < 8 + lengthOf(received)) return;
      const said = answer(received.toString('utf8', 8, 8 + lengthOf(received) - 1));
      if (said === undefined) client.destroy();
      else if (said !== 'silence') sendSlowly((part) => client.write(part), message(said), chunkBytes);
    });
  });
  daemons.push(server);
  server.listen(path);
  await once(server, 'listening');
  return path;
}

function lengthOf(bytes: Buffer): number {
  return Number(endianness() === 'LE' ? bytes.readBigUInt64LE() : bytes.readBigUInt64BE());
}

function message(text: string): Buffer {
  const length = Buffer.alloc(8);
  if (endianness() === 'LE') length.writeBigUInt64LE(BigInt(Buffer.byteLength(text) + 1));
  else length.writeBigUInt64BE(BigInt(Buffer.byteLength(text) + 1));
  return Buffer.concat([length, Buffer.from(`${text}\0`)]);
}

function sendSlowly(send: (part: Buffer) => void, bytes: Buffer, chunkBytes: number): void {
  send(bytes.subarray(0, chunkBytes));
  if (bytes.length > chunkBytes)
    setTimeout(() => {
      sendSlowly(send, bytes.subarray(chunkBytes), chunkBytes);
    }, 1);
}

describe('MultipathdCommands', () => {
  test("MultipathdCommands sends a command to the daemon's abstract socket, and gives its answer whole", async () => {
    const heard: string[] = [];
    const sockets = [
      await daemon((words) => {
        heard.push(words);
        return 'sda\nsdb\n';
      }, 3),
    ];
    const logger = new RecordedLog();
    const commands = new MultipathdCommands({ commands: PROGRAM, logger, sockets });
    expect(await commands.run(asks('show', 'paths', 'raw', 'format', '%d %w'), SIGNAL)).toEqual({
      exitCode: 0,
      stdout: 'sda\nsdb\n',
      stderr: '',
    });
    expect(heard).toEqual(['show paths raw format "%d %w"']);
    expect(logger.lines).toMatchObject([
      {
        level: 'debug',
        message: 'Asked multipathd',
        fields: { command: 'multipathd show paths raw format %d %w', exitCode: 0 },
      },
    ]);
  });

  test('MultipathdCommands tries the sockets in order', async () => {
    const sockets = ['/nowhere/multipathd.socket', await daemon(() => 'ok\n')];
    expect(
      await new MultipathdCommands({ commands: PROGRAM, logger: new RecordedLog(), sockets }).run(
        asks('add', 'path', 'sda'),
        SIGNAL,
      ),
    ).toMatchObject({ stdout: 'ok\n' });
  });

  test('MultipathdCommands runs every other program', async () => {
    const sockets = [await daemon(() => 'ok\n')];
    expect(
      await new MultipathdCommands({ commands: PROGRAM, logger: new RecordedLog(), sockets }).run(
        { ...asks('-w', 'x'), program: 'multipath' },
        SIGNAL,
      ),
    ).toMatchObject({ stdout: 'the program multipath' });
  });

  test.each([
    ['does not run', undefined],
    ['takes it from root alone', 'permission deny: need to be root\n'],
  ] as const)('MultipathdCommands runs the program where the daemon %s', async (_what, answer) => {
    const sockets =
      answer === undefined ? ['/nowhere/multipathd.socket', '\0nowhere/multipathd'] : [await daemon(() => answer)];
    expect(
      await new MultipathdCommands({ commands: PROGRAM, logger: new RecordedLog(), sockets }).run(
        asks('del', 'map', 'mpatha'),
        SIGNAL,
      ),
    ).toMatchObject({ stdout: 'the program multipathd' });
  });

  test('MultipathdCommands takes an interrupted answer for a failed command, and does not repeat it', async () => {
    const heard: string[] = [];
    const sockets = [
      await daemon((words) => {
        heard.push(words);
        return undefined;
      }),
    ];
    expect(
      await new MultipathdCommands({ commands: PROGRAM, logger: new RecordedLog(), sockets }).run(
        asks('del', 'map', 'mpatha'),
        SIGNAL,
      ),
    ).toMatchObject({ exitCode: 1, stdout: '' });
    expect(heard).toEqual(['del map mpatha']);
  });

  test('MultipathdCommands waits no longer than the command may take, and no longer than the caller', async () => {
    const commands = new MultipathdCommands({
      commands: PROGRAM,
      logger: new RecordedLog(),
      sockets: [await daemon(() => 'silence')],
    });
    await expect(
      commands.run({ ...asks('show', 'paths'), patience: { kind: 'kill', ms: 50 } }, SIGNAL),
    ).rejects.toMatchObject({
      code: 'COMMAND_TIMED_OUT',
      message: expect.stringContaining('multipathd show paths') as unknown,
    });
    await expect(commands.run(asks('show', 'paths'), AbortSignal.timeout(50))).rejects.toMatchObject({
      code: 'ABORTED',
    });
    await expect(commands.run(asks('show', 'paths'), AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
