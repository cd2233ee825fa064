import { aborted, throwIfAborted } from '../../base/aborted.js';
import type { Logger } from '../../base/logger.js';
import { VolumeError } from '../../base/volume-error.js';
import { type Command, type CommandResult, type CommandRunner, printable } from '../command.js';
import { askMultipathd, MULTIPATHD_SOCKETS } from './ask-multipathd.js';

/** multipathd/uxlsnr.c, default_reply: only root may do more than look. */
const NOT_ROOT = 'permission deny: need to be root';

/**
 * Says the commands of the program `multipathd` to the daemon itself, which costs no process. All others are run, and
 * so are those that the daemon does not take from this user: behind `root_helper` it does.
 */
export class MultipathdCommands implements CommandRunner {
  readonly #commands: CommandRunner;
  readonly #logger: Logger;
  readonly #sockets: readonly string[];

  constructor({
    commands,
    logger,
    sockets = MULTIPATHD_SOCKETS,
  }: {
    readonly commands: CommandRunner;
    readonly logger: Logger;
    readonly sockets?: readonly string[];
  }) {
    this.#commands = commands;
    this.#logger = logger;
    this.#sockets = sockets;
  }

  async run(command: Command, signal: AbortSignal): Promise<CommandResult> {
    throwIfAborted(signal);
    return (
      (command.program === 'multipathd' ? await this.#ask(command, signal) : undefined) ??
      (await this.#commands.run(command, signal))
    );
  }

  async locate(program: string, signal: AbortSignal): Promise<string | undefined> {
    return await this.#commands.locate?.(program, signal);
  }

  /**
   * @returns what the program would print; `undefined` when the daemon was not reached or does not take it from this
   * user
   */
  async #ask(command: Command, signal: AbortSignal): Promise<CommandResult | undefined> {
    const started = performance.now();
    const limit = AbortSignal.timeout(command.patience.ms);
    const answer = await askMultipathd(wordsOf(command), this.#sockets, AbortSignal.any([signal, limit])).catch(
      (error: unknown) => {
        if (signal.aborted) throw aborted(signal);
        if (limit.aborted)
          throw new VolumeError(
            'COMMAND_TIMED_OUT',
            `Cannot wait any longer for "${printable(command)}": multipathd did not answer in ` +
              `${command.patience.ms / 1000} s`,
          );
        throw error;
      },
    );
    if (answer.kind === 'not-asked' || (answer.kind === 'answered' && answer.text.includes(NOT_ROOT))) return undefined;
    const result =
      answer.kind === 'answered'
        ? { exitCode: 0, stdout: answer.text, stderr: '' }
        : { exitCode: 1, stdout: '', stderr: `${answer.reason}\n` };
    this.#logger.debug('Asked multipathd', {
      command: printable(command),
      exitCode: result.exitCode,
      ms: Math.round(performance.now() - started),
      stderr: result.stderr,
    });
    return result;
  }
}

/** As the program puts its arguments together (multipathd/main.c, main). */
function wordsOf({ args }: Command): string {
  return args
    .map(String)
    .map((word) => (word.includes(' ') ? `"${word}"` : word))
    .join(' ');
}
