import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Each program of the machine is one file, and all lie in one folder (scripts/lab.sh). */
const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const LIMIT_MS = 90_000;

export interface RunAs {
  /** Name or number of the user; root when absent. */
  readonly user?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Leads a process group of its own, as a command that a shell starts in a terminal does. */
  readonly ownGroup?: boolean;
  /** Called once with the process. */
  readonly started?: (child: ChildProcess) => void;
}

export interface Outcome {
  /** `undefined` when a signal ended it. */
  readonly status: number | undefined;
  readonly stdout: string;
  /** Without the lines that say that the work goes on. */
  readonly stderr: string;
  readonly ms: number;
}

/** Runs the real command line as a process of its own, as root or as another user without groups. */
export async function libvirtVolume(
  args: readonly string[],
  { user, env = {}, input = '', ownGroup = false, started }: RunAs = {},
): Promise<Outcome> {
  const begin = performance.now();
  const asUser = user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
  const [program = '', ...words] = [...asUser, process.execPath, MAIN, ...args];
  const child = spawn(program, words, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
    detached: ownGroup,
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  started?.(child);
  const texts = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    new Promise<number | undefined>((resolve) =>
      child.once('close', (code) => {
        resolve(code ?? undefined);
      }),
    ),
  ]);
  const [stdout, stderr, status] = texts;
  return {
    status,
    stdout,
    stderr: stderr.replaceAll(/^.* … \d+ s\n/gm, ''),
    ms: Math.round(performance.now() - begin),
  };
}

/** What it printed with --json: one document and nothing else. */
export function documentOf({ stdout }: Outcome): unknown {
  return JSON.parse(stdout) as unknown;
}

/** @throws {Error} unless it printed an error's document, and that alone */
export function errorOf(outcome: Outcome): {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
} {
  const { error, ...others } = documentOf(outcome) as {
    readonly error?: { readonly code: unknown; readonly message: unknown; readonly hint: unknown };
  };
  if (typeof error?.code !== 'string' || typeof error.message !== 'string' || Object.keys(others).length > 0)
    throw new Error(`This is no error's document: ${outcome.stdout}`);
  if (error.hint !== null && typeof error.hint !== 'string')
    throw new Error(`The hint is neither text nor null: ${outcome.stdout}`);
  return { code: error.code, message: error.message, hint: error.hint };
}

/** The runs of a program that its log of LIBVIRT_VOLUME_LOG=debug tells of. */
export function commandsIn(
  { stderr }: Outcome,
  program: string,
): readonly { readonly command: string; readonly ms: number }[] {
  const lines = stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { readonly command?: string; readonly ms?: number });
  return lines.flatMap(({ command, ms }) =>
    command?.startsWith(program) === true && ms !== undefined ? [{ command, ms }] : [],
  );
}

/**
 * Looks at the arguments and the environment of every process that begins, again and again, until the work is done.
 * @returns those that hold the text
 */
export async function processesWith(text: string, work: Promise<unknown>): Promise<readonly string[]> {
  const before = new Set(readdirSync('/proc'));
  const found = new Set<string>();
  let looks = 0;
  const timer = setInterval(() => {
    looks++;
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && !before.has(name))) {
      for (const file of ['cmdline', 'environ']) {
        const words = quietly(`/proc/${pid}/${file}`).replaceAll('\0', ' ');
        if (words.includes(text)) found.add(`${file} of ${words}`);
      }
    }
  }, 25);
  try {
    await work;
  } finally {
    clearInterval(timer);
  }
  return looks < 10 ? [`only ${looks} looks were taken`] : [...found];
}

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

function quietly(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it ended while we looked
  }
}
