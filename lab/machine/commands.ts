import { spawn } from 'node:child_process';

export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly timeoutMs?: number;
  /** Ends it as a time limit does. */
  readonly signal?: AbortSignal;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a program in the lab machine and gives its standard output.
 * @throws {Error} naming the command, its exit status and what it said, when it fails or takes too long
 */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const answer = await tryRun(program, args, options);
  if (answer.code !== 0) {
    throw new Error(
      `"${[program, ...args].join(' ')}" ended with ${answer.code}: ${answer.stderr.trim() || answer.stdout.trim()}`,
    );
  }
  return answer.stdout;
}

/**
 * As run(), but a failure is an answer as well. Exit status 124 stands for a time limit that passed, 127 for a missing
 * program.
 */
export function tryRun(program: string, args: readonly string[], options: RunOptions = {}): Promise<Answer> {
  const { timeoutMs = 60_000, signal, input = '', env } = options;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  return new Promise((resolve) => {
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let late = false;
    const stop = (): void => {
      late = true;
      child.kill('SIGKILL');
    };
    const limit = setTimeout(stop, timeoutMs);
    signal?.addEventListener('abort', stop, { once: true });
    const answer = (code: number): void => {
      clearTimeout(limit);
      signal?.removeEventListener('abort', stop);
      resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() });
    };
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', (error) => {
      stderr.push(Buffer.from(error.message));
      answer(127);
    });
    child.on('close', (code, signal) => {
      answer(late ? 124 : (code ?? (signal === null ? 1 : 137)));
    });
    child.stdin.on('error', () => undefined); // a program that does not read its input
    child.stdin.end(input);
  });
}
