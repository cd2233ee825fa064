import type { Secret } from '../base/secret.js';

export type Argument = string | Secret;

/**
 * What is done with a command that takes too long or that nobody waits for any more.
 * - `kill`: it is ended after `ms`, or as soon as the caller's signal aborts.
 * - `wait`: it is never signalled. The caller's signal is not heard while it runs; after `ms` the call rejects with
 * `COMMAND_TIMED_OUT` and the process is left to finish. A killed iscsiadm leaves open-iscsi's database lock behind for
 *   ever (usr/idbm.c, idbm_lock: the lock is a hard link without an owner), so every iscsiadm runs like this.
 */
export interface TimeoutPolicy {
  readonly kind: 'kill' | 'wait';
  readonly ms: number;
}

/** A command as a value: built by pure functions, run by one runner. Never a shell string. */
export interface Command {
  readonly program: string;
  readonly args: readonly Argument[];
  readonly patience: TimeoutPolicy;
  /** Text for the command's standard input. */
  readonly input?: string;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command as people read it, secrets as `***`. */
export function printable({ program, args }: Command): string {
  return [program, ...args.map(String)].join(' ');
}

/**
 * Runs commands. A nonzero exit status is an answer, not an error.
 * @throws {VolumeError} `COMMAND_NOT_FOUND`, `COMMAND_TIMED_OUT`, or `ABORTED` (only under `kill`)
 */
export interface CommandRunner {
  run(command: Command, signal: AbortSignal): Promise<CommandResult>;
  /**
   * The file that `run` would start for this program. A runner without it cannot tell.
   * @returns its absolute path
   * @throws {VolumeError} `COMMAND_NOT_FOUND`, `ABORTED`
   */
  locate?(program: string, signal: AbortSignal): Promise<string | undefined>;
}
