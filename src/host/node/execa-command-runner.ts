import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { aborted, throwIfAborted } from '../../base/aborted.js';
import type { Logger } from '../../base/logger.js';
import { VolumeError } from '../../base/volume-error.js';
import { type Argument, type Command, type CommandResult, type CommandRunner, printable } from '../command.js';

/** Longer than any search of PATH takes. */
const LOCATE_MS = 10_000;

/**
 * Commands as child processes of this one. Their words are English whatever the host speaks, so that texts can be told
 * apart.
 */
export class ExecaCommandRunner implements CommandRunner {
  readonly #logger: Logger;
  readonly #rootHelper: readonly string[];

  /** @param rootHelper put in front of each command, such as `["sudo", "-n"]`; empty for none */
  constructor({ logger, rootHelper = [] }: { readonly logger: Logger; readonly rootHelper?: readonly string[] }) {
    this.#logger = logger;
    this.#rootHelper = rootHelper;
  }

  async run(command: Command, signal: AbortSignal): Promise<CommandResult> {
    throwIfAborted(signal);
    const started = performance.now();
    const result = await (command.patience.kind === 'kill'
      ? this.#killable(command, signal)
      : this.#unkillable(command));
    this.#logger.debug('Ran a command', {
      command: printable(command),
      exitCode: result.exitCode,
      ms: Math.round(performance.now() - started),
      stderr: result.stderr,
    });
    return result;
  }

  /**
   * As the operating system looks for it, or, behind a helper, as the helper's own PATH has it: sudo has one of its own
   * (sudoers(5), secure_path).
   */
  async locate(program: string, signal: AbortSignal): Promise<string | undefined> {
    if (this.#rootHelper.length > 0) {
      const { exitCode, stdout } = await this.run(
        { program: 'sh', args: ['-c', 'command -v -- "$1"', 'sh', program], patience: { kind: 'kill', ms: LOCATE_MS } },
        signal,
      );
      if (exitCode === 0 && stdout.startsWith('/')) return stdout.replace(/\n$/, '');
    }
    for (const folder of searchPath()
      .split(':')
      .filter((part) => part.startsWith('/'))) {
      const path = join(folder, program);
      if (await isExecutable(path)) return path;
    }
    throw notInstalled(program);
  }

  async #killable(command: Command, signal: AbortSignal): Promise<CommandResult> {
    const result = await this.#start(command, { timeout: command.patience.ms, cancelSignal: signal });
    if (result.isCanceled) throw aborted(signal);
    if (result.timedOut) throw tooLate(command, 'it was ended');
    return asResult(command, this.#rootHelper[0] ?? command.program, result);
  }

  /** The process is left to itself when the time is up: `cleanup: false` lets it outlive this one too. */
  async #unkillable(command: Command): Promise<CommandResult> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(tooLate(command, 'it was left running, as ending it could leave its database locked'));
      }, command.patience.ms);
    });
    try {
      return asResult(
        command,
        this.#rootHelper[0] ?? command.program,
        await Promise.race([this.#start(command, { cleanup: false }), limit]),
      );
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * In a process group of its own: Ctrl-C in a terminal reaches every process of a group, and only this one knows what
   * must be undone.
   */
  #start(
    { program, args, input }: Command,
    options: { readonly timeout?: number; readonly cancelSignal?: AbortSignal; readonly cleanup?: boolean },
  ) {
    const [file = program, ...rest] = [...this.#rootHelper, program, ...args.map(plain)];
    return execa(file, rest, {
      reject: false,
      stripFinalNewline: false,
      detached: true,
      env: { LC_ALL: 'C', PATH: searchPath() },
      ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
      ...options,
    });
  }
}

interface Outcome {
  readonly exitCode?: number | undefined;
  readonly stdout?: unknown;
  readonly stderr?: unknown;
  readonly code?: string | undefined;
  readonly signal?: string | undefined;
  readonly cause?: unknown;
}

function asResult(
  command: Command,
  program: string,
  { exitCode, stdout, stderr, code, signal, cause }: Outcome,
): CommandResult {
  if (code === 'ENOENT') throw notInstalled(program);
  if (code === 'EACCES') throw new VolumeError('PERMISSION_DENIED', `Cannot run ${program}: this user may not`);
  if (exitCode === undefined) {
    throw new VolumeError(
      'COMMAND_FAILED',
      `Cannot finish "${printable(command)}": ` +
        (signal === undefined ? 'it did not start' : `it was ended by ${signal}`),
      { cause },
    );
  }
  return { exitCode, stdout: String(stdout), stderr: String(stderr) };
}

function notInstalled(program: string): VolumeError {
  return new VolumeError('COMMAND_NOT_FOUND', `Cannot run ${program}: it is not installed, or not in PATH`, {
    hint: hintFor(program),
  });
}

/** A service's PATH may lack the folders of root's programs. */
function searchPath(): string {
  return `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function plain(argument: Argument): string {
  return typeof argument === 'string' ? argument : argument.reveal();
}

function hintFor(program: string): string {
  const packages: Readonly<Record<string, string>> = {
    iscsiadm: 'open-iscsi',
    virsh: 'libvirt-clients',
    flock: 'util-linux',
    multipath: 'multipath-tools',
  };
  return `install the package ${packages[program] ?? program}`;
}

function tooLate(command: Command, fate: string): VolumeError {
  return new VolumeError(
    'COMMAND_TIMED_OUT',
    `Cannot wait any longer for "${printable(command)}": it did not finish in ${command.patience.ms / 1000} s, and ` +
      fate,
  );
}
