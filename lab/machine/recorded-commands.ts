import type { Command, CommandResult, CommandRunner } from '../../src/host/command.js';

/** Node 20 cannot reach multipathd's socket, and runs its program instead (src/host/node/ask-multipathd.ts). */
export const ASKS_BY_SOCKET = Number(process.versions.node.split('.')[0]) >= 22;

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

  async locate(program: string, signal: AbortSignal): Promise<string | undefined> {
    return await this.#commands.locate?.(program, signal);
  }

  /** Those that cost a process. The scenario process-counts asks the kernel. */
  get processes(): readonly Command[] {
    return this.ran.filter(({ program }) => program !== 'multipathd' || !ASKS_BY_SOCKET);
  }

  /** The iface of each login that was tried, in order. */
  get logins(): readonly string[] {
    return this.ran
      .filter(({ args }) => args.includes('--login'))
      .map(({ args }) => String(args[args.indexOf('-I') + 1]));
  }

  /** @throws {Error} when an iscsiadm ran without `-I` */
  requireIface(): void {
    const bare = this.ran.filter(({ program, args }) => program === 'iscsiadm' && !args.includes('-I'));
    if (bare.length > 0)
      throw new Error(`iscsiadm ran without -I: ${bare.map(({ args }) => args.join(' ')).join('; ')}`);
  }
}
