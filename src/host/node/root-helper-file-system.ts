import { encodeText } from '../../base/byte-text.js';
import { isVolumeError, VolumeError } from '../../base/volume-error.js';
import type { Command, CommandRunner } from '../command.js';
import { type DeviceUser, type DeviceUsers, TRANSIENT_OPENERS } from '../device-users.js';
import type { FileKind, FileSystem } from '../file-system.js';
import { NodeFileSystem, vanished } from './node-file-system.js';

/** Long enough for a scan of a sick path; the helper's process is ended with the caller's signal. */
const PATIENCE_MS = 120_000;
const NEVER = new AbortController().signal;

/** The host's files for a user who is not root: what this user may not read or write goes through `root_helper`. */
export class RootHelperFileSystem implements FileSystem, DeviceUsers {
  readonly #commands: CommandRunner;
  readonly #own = new NodeFileSystem();
  /** Writes whose helper has not ended: one that the kernel holds up does not hear that it is to end. */
  readonly #writes = new Set<{ readonly path: string; readonly signal: AbortSignal }>();

  /** @param commands a runner that puts the helper in front of each command */
  constructor({ commands }: { readonly commands: CommandRunner }) {
    this.#commands = commands;
  }

  async readText(path: string): Promise<string | undefined> {
    return await ifAllowed(
      () => this.#own.readText(path),
      async () => (await this.#ask('cat', '--', path))?.replace(/\n$/, ''),
    );
  }

  async readBytes(path: string): Promise<Uint8Array | undefined> {
    return await ifAllowed(
      () => this.#own.readBytes(path),
      async () => {
        const text = await this.#ask('base64', '--', path);
        return text === undefined ? undefined : Buffer.from(text, 'base64');
      },
    );
  }

  async list(directory: string): Promise<readonly string[]> {
    return await ifAllowed(
      () => this.#own.list(directory),
      async () =>
        ((await this.#ask('ls', '-1A', '--', directory)) ?? '')
          .split('\n')
          .filter((name) => name !== '')
          .toSorted(),
    );
  }

  async realPath(path: string): Promise<string | undefined> {
    return await ifAllowed(
      () => this.#own.realPath(path),
      async () => (await this.#ask('realpath', '-e', '--', path))?.trimEnd(),
    );
  }

  async kind(path: string): Promise<FileKind | undefined> {
    return await ifAllowed(
      () => this.#own.kind(path),
      async () => asKind(await this.#ask('stat', '-L', '-c', '%F', '--', path)),
    );
  }

  async makeDirectory(path: string, mode: number): Promise<void> {
    await this.#do({ args: ['sh', '-c', 'umask "$1" && mkdir -p -- "$2"', 'sh', (0o777 & ~mode).toString(8), path] });
  }

  async replace(path: string, text: string, mode: number, temporary: string): Promise<void> {
    // Never through a link or into a file that was there: the text may be a secret.
    const script =
      'umask 077 && rm -f "$1" && set -C && base64 -d > "$1" && chmod "$2" "$1" && sync "$1" && mv -f "$1" "$3"';
    await this.#do({
      args: ['sh', '-c', script, 'sh', temporary, mode.toString(8), path],
      input: Buffer.from(encodeText(text)).toString('base64'),
    });
  }

  async create(path: string, text: string, mode: number): Promise<void> {
    const script = 'umask 077 && set -C && base64 -d > "$1" && chmod "$2" "$1" && sync "$1"';
    const input = Buffer.from(encodeText(text)).toString('base64');
    await this.#do({ args: ['sh', '-c', script, 'sh', path, mode.toString(8)], input });
  }

  async rename(path: string, to: string): Promise<boolean> {
    const { exitCode, stderr } = await this.#run({ args: ['mv', '-fT', '--', path, to] }, NEVER);
    if (exitCode === 0) return true;
    if ((await this.kind(path)) === undefined) return false;
    throw failed(to, stderr);
  }

  async link(existing: string, path: string): Promise<boolean> {
    const { exitCode, stderr } = await this.#run({ args: ['ln', '-T', '--', existing, path] }, NEVER);
    if (exitCode !== 0 && !stderr.includes('File exists')) throw failed(path, stderr);
    return exitCode === 0;
  }

  async remove(path: string): Promise<void> {
    await this.#do({ args: ['rm', '-f', '--', path] });
  }

  async removeDirectory(path: string): Promise<boolean> {
    const { exitCode, stderr } = await this.#run({ args: ['rmdir', '--', path] }, NEVER);
    if (exitCode === 0 || isGone('rmdir', path, stderr)) return true;
    if (stderr.includes('Directory not empty')) return false;
    throw failed(path, stderr);
  }

  async writeAttribute(path: string, text: string, signal: AbortSignal): Promise<void> {
    await this.#write({ args: ['tee', '--', path], input: text }, path, signal);
  }

  async syncDevice(path: string, signal: AbortSignal): Promise<void> {
    await this.#write({ args: ['sync', '--', path] }, path, signal);
  }

  hasStuckWrite(path: string): boolean {
    return [...this.#writes].some((write) => write.path === path && write.signal.aborted);
  }

  /** By name, as root in this namespace sees them: `find` cannot compare device numbers. */
  async usersOf(devicePath: string, numbers: readonly string[], signal: AbortSignal): Promise<readonly DeviceUser[]> {
    return [
      ...(await this.#kernelUse(devicePath, numbers, signal)),
      ...(await this.#processesWith(devicePath, signal)),
    ];
  }

  /**
   * What an exclusive open would tell, and no program does for us: a mount in whatever namespace, swap, or a device on
   * top of the disk.
   */
  async #kernelUse(
    devicePath: string,
    numbers: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly DeviceUser[]> {
    const holders = await Promise.all(numbers.map((number) => this.#own.list(`/sys/dev/block/${number}/holders`)));
    // proc_pid_mountinfo(5); btrfs shows a number of its own
    const mount = `^[0-9]+ [0-9]+ (${numbers.join('|')}) | - [^ ]+ ${devicePath}[0-9]* `;
    const script = 'cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -E -m 1 -- "$1"; grep -E -- "$2" /proc/swaps; exit 0';
    const found = await this.#script(script, [mount, `^${devicePath}[0-9]*[[:blank:]]`], signal);
    return holders.flat().length === 0 && found === ''
      ? []
      : [{ pid: 0, name: 'the kernel (a mount, swap, LVM or device-mapper)' }];
  }

  async #processesWith(devicePath: string, signal: AbortSignal): Promise<readonly DeviceUser[]> {
    const stdout = await this.#script(
      'find /proc/[0-9]*/fd -maxdepth 1 -lname "$1*" -printf "%h %l\\n" 2>/dev/null; exit 0',
      [devicePath],
      signal,
    );
    const pids = stdout.split('\n').flatMap((line) => {
      const [, pid, path] = /^\/proc\/(\d+)\/fd (.+)$/.exec(line) ?? [];
      return pid !== undefined && path !== undefined && /^\d*$/.test(path.slice(devicePath.length))
        ? [Number(pid)]
        : [];
    });
    const users = await Promise.all(
      [...new Set(pids)].map(async (pid) => ({
        pid,
        name: (await this.#own.readText(`/proc/${pid}/comm`)) ?? 'a process',
      })),
    );
    return users.filter(({ name }) => !TRANSIENT_OPENERS.has(name));
  }

  /** @returns what the command printed, or `undefined` when it found nothing to print of */
  async #ask(program: string, ...args: readonly string[]): Promise<string | undefined> {
    const path = args.at(-1) ?? '';
    const { exitCode, stdout, stderr } = await this.#run({ args: [program, ...args] }, NEVER);
    if (exitCode === 0) return stdout;
    if (isGone(program, path, stderr)) return undefined;
    throw failed(path, stderr);
  }

  /** @returns what the script printed. That the helper failed must not pass for "nothing was found". */
  async #script(script: string, words: readonly string[], signal: AbortSignal): Promise<string> {
    const { exitCode, stdout, stderr } = await this.#run({ args: ['sh', '-c', script, 'sh', ...words] }, signal);
    if (exitCode !== 0) throw failed('/proc', stderr);
    return stdout;
  }

  async #write(call: Call, path: string, signal: AbortSignal): Promise<void> {
    const write = { path, signal };
    this.#writes.add(write);
    try {
      await this.#do(call, signal);
    } finally {
      this.#writes.delete(write);
    }
  }

  async #do(call: Call, signal: AbortSignal = NEVER): Promise<void> {
    const { exitCode, stderr } = await this.#run(call, signal);
    if (exitCode === 0) return;
    const path = call.args.at(-1) ?? '';
    throw isGone(call.args[0] ?? '', path, stderr) ? vanished(path, stderr) : failed(path, stderr);
  }

  async #run({ args: [program = '', ...args], input }: Call, signal: AbortSignal): ReturnType<CommandRunner['run']> {
    const command: Command = {
      program,
      args,
      patience: { kind: 'kill', ms: PATIENCE_MS },
      ...(input === undefined ? {} : { input }),
    };
    return await this.#commands.run(command, signal);
  }
}

interface Call {
  readonly args: readonly string[];
  readonly input?: string;
}

/**
 * The tool itself says that what it was asked for is not there; the same words of the helper would be the helper's own
 * failure.
 */
function isGone(program: string, path: string, stderr: string): boolean {
  return stderr
    .split('\n')
    .some(
      (line) =>
        line === `${program}: read error: Is a directory` ||
        (line.startsWith(`${program}: `) &&
          line.includes(path) &&
          /: (?:No such (?:file or directory|device.*)|Not a directory|Is a directory|Input\/output error)$/.test(
            line,
          )),
    );
}

async function ifAllowed<Result>(look: () => Promise<Result>, asRoot: () => Promise<Result>): Promise<Result> {
  try {
    return await look();
  } catch (error) {
    if (!isVolumeError(error, 'PERMISSION_DENIED')) throw error;
    return await asRoot();
  }
}

function asKind(text: string | undefined): FileKind | undefined {
  if (text === undefined) return undefined;
  if (text.startsWith('regular')) return 'file';
  if (text.startsWith('directory')) return 'directory';
  return text.startsWith('block') ? 'block-device' : 'other';
}

function failed(path: string, stderr: string): VolumeError {
  return new VolumeError('PERMISSION_DENIED', `Cannot use ${path} through root_helper`, {
    cause: new Error(stderr.trim()),
    hint: 'check that root_helper runs commands as root without asking for a password',
  });
}
