import type { Command, CommandResult, CommandRunner } from '../../src/host/command.js';

/** Keeps every command, so that a scenario can prove what was run. */
export class RecordedCommands implements CommandRunner {
  readonly ran: Command[] = [];
  readonly #commands: CommandRunner;

  constructor(commands: CommandRunner) {
    this.#commands = commands;
  }

  async run(command: Command, signal: AbortSignal): Promise<CommandResult> {
    this.ran.push(command);
    return await this.#commands.run(command, signal);
  }

  /** Those that cost a process: multipathd is asked over its socket (src/host/node/multipathd-commands.ts). The scenario process-counts asks the kernel. */
  get processes(): readonly Command[] {
    return this.ran.filter(({ program }) => program !== 'multipathd');
  }

  /** The iface of each login that was tried, in order. */
  get logins(): readonly string[] {
    return this.ran.filter(({ args }) => args.includes('--login')).map(({ args }) => String(args[args.indexOf('-I') + 1]));
  }

  /** @throws {Error} when an iscsiadm ran without `-I` */
  requireIface(): void {
    const bare = this.ran.filter(({ program, args }) => program === 'iscsiadm' && !args.includes('-I'));
    if (bare.length > 0) throw new Error(`iscsiadm ran without -I: ${bare.map(({ args }) => args.join(' ')).join('; ')}`);
  }
}
