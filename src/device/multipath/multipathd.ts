import { isVolumeError } from '../../base/volume-error.js';
import type { Command, CommandResult, CommandRunner } from '../../host/command.js';
import type { FileSystem } from '../../host/file-system.js';
import type { DevicePath, MapId } from '../block-device.js';
import { listPathIdsCommand } from './multipath-commands.js';

export interface MultipathdParts {
  readonly commands: CommandRunner;
  readonly files: FileSystem;
}

/** multipath-tools, libmultipath/defaults.h: WWID_SIZE, with the zero byte that ends it in C. */
const LONGEST_ID = 127;

/** What multipath, multipathd or dmsetup said. What is so afterwards is read in the kernel. */
export interface MultipathAnswer extends CommandResult {
  /** Everything that was said, on stdout and on stderr. */
  readonly words: string;
  /**
   * It did not even say `timeout`, which multipathd does after 4 s (multipathd/main.c, uxsock_timeout): it hangs, or is
   * stopped.
   */
  readonly isSilent: boolean;
}

/** multipath-tools, libmpathutil/uxsock.c: the abstract socket; since 0.12.0 a file as well. */
const SOCKETS = ['@/org/kernel/linux/storage/multipathd', '/run/multipathd.socket'];

/**
 * What the programs say when the daemon has not answered them in 4 s (multipathd/uxclnt.c, process_req;
 * multipath/main.c, delegate_to_multipathd). A daemon that is busy says `timeout` itself (multipathd/uxlsnr.c,
 * default_reply).
 */
const GAVE_UP = /\breceiving packet\b|\berror in multipath command\b.*\btimed out\b/i;

/** The daemon that makes maps, and the programs beside it. */
export class Multipathd {
  readonly #parts: MultipathdParts;

  constructor(parts: MultipathdParts) {
    this.#parts = parts;
  }

  /** Whether it, or systemd for it, listens. One that hangs listens too. */
  async isRunning(): Promise<boolean> {
    const sockets = (await this.#parts.files.readText('/proc/net/unix')) ?? '';
    return sockets.split('\n').some((line) => SOCKETS.includes(line.split(' ').at(-1) ?? ''));
  }

  /** @throws {VolumeError} `COMMAND_NOT_FOUND`, `ABORTED` */
  async ask(command: Command, signal: AbortSignal): Promise<MultipathAnswer> {
    try {
      const result = await this.#parts.commands.run(command, signal);
      const words = `${result.stdout}${result.stderr}`.trim();
      return { ...result, words, isSilent: result.exitCode !== 0 && GAVE_UP.test(words) };
    } catch (error) {
      if (!isVolumeError(error, 'COMMAND_TIMED_OUT')) throw error;
      return { exitCode: 1, stdout: '', stderr: '', words: 'timeout', isSilent: true };
    }
  }

  /** What it calls the disk; `undefined` for one that it does not know, or whose id could be taken for an option. */
  async idOf(disk: { readonly path: DevicePath }, signal: AbortSignal): Promise<MapId | undefined> {
    const name = disk.path.slice('/dev/'.length);
    const { stdout } = await this.ask(listPathIdsCommand(), signal);
    const lines = stdout.split('\n').map((line) => line.trim());
    return parseMapId(
      lines
        .find((line) => line.startsWith(`${name} `))
        ?.slice(name.length)
        .trim() ?? '',
    );
  }
}

/** @returns `undefined` for what may be no argument, no line of the wwids file or no name of a file */
export function parseMapId(text: string): MapId | undefined {
  return text.length <= LONGEST_ID && /^[^\s\-/][^\p{Cc}/]*$/u.test(text) && !/^\.+$/.test(text)
    ? (text as MapId)
    : undefined;
}
