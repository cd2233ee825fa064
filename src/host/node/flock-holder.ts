import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { throwIfAborted } from '../../base/aborted.js';
import { holderText } from './lock-holder.js';
import { SYSTEM_PROCESSES } from './system-processes.js';

/**
 * Where nobody holds the lock: flock(1) takes it and becomes this shell, which becomes rm(1) in the end, so that the
 * whole lock costs one process. It does no more than the end of the long way below.
 */
const AT_ONCE = `
trap '' HUP INT TERM
for open in /proc/self/fd/*; do [ "$1" -ef "$open" ] && same=1; done
[ "$same" ] || exit 76
{ echo "$2" >"$1"; } 2>/dev/null
echo held
read -r _
exec rm -f "$1"`;

/**
 * Where somebody does. Takes the lock, proves that the file is still the one that the name leads to (its last holder
 * removes it), writes into it who holds it, says so, and holds on until its standard input ends: when this process
 * dies, however it dies, the lock is free at once and the file is gone. The end of standard input ends the waiting for
 * the lock as well. While it is held, no child has the lock's file open, which would hold it too.
 *
 * Only this process ends it, and SIGKILL: `systemctl stop` sends SIGTERM to every process of a service
 * (systemd.kill(5), KillMode=control-group), and the service may still finish or undo its call under the lock.
 */
const SCRIPT = `
trap '' HUP INT TERM
[ -d "$2" ] || mkdir -p "$2"
exec 3<&0 9>>"$1" || exit 74
flock -x -w "$3" 9 & taking=$!
{ read -r _ <&3; kill -KILL "$taking"; } 2>/dev/null & watching=$!
wait "$taking"
taken=$?
kill -KILL "$watching" 2>/dev/null
wait "$watching" 2>/dev/null
[ "$taken" = 1 ] && exit 75
[ "$taken" = 0 ] || exit 74
[ "$1" -ef /proc/self/fd/9 ] || exit 76
{ echo "$4" >"$1"; } 2>/dev/null
echo held
read -r _ <&3
rm -f "$1"`;
const TIMED_OUT = 75;
const REPLACED = 76;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** What became of a try to take a lock. */
export type Taking =
  | {
      readonly kind: 'held';
      /** How the helper ended: before release() is called, the lock is lost. */
      readonly ended: Promise<HelperEnd>;
      readonly release: () => Promise<void>;
    }
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'failed'; readonly reason: string };

export interface HelperEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/**
 * Takes an exclusive flock(1) on the file, which is made when it is not there, and gone when its last holder lets go.
 * @param deadline of all tries, by performance.now()
 */
export async function takeFlock(
  directory: string,
  name: string,
  { deadline, rootHelper }: { readonly deadline: number; readonly rootHelper: readonly string[] },
  signal: AbortSignal,
): Promise<Taking> {
  const file = `${directory}/${name}`;
  const holder = holderText(await SYSTEM_PROCESSES.self());
  const atOnce = ['flock', '--no-fork', '--exclusive', '--nonblock', file, 'sh', '-c', AT_ONCE, 'sh', file, holder];
  const inTime = (): readonly string[] => {
    const seconds = Math.max(Math.ceil(deadline - performance.now()), 1) / 1000; // 0 is an error to old versions
    return [...rootHelper, 'sh', '-c', SCRIPT, 'sh', file, directory, String(seconds), holder];
  };
  // after a boot it is not there; where more than that is wrong the shell below tells
  if (rootHelper.length === 0) await mkdir(directory).catch(() => undefined);
  for (let isFirst = rootHelper.length === 0; ;) {
    throwIfAborted(signal);
    const child = start(isFirst ? atOnce : inTime());
    const ended = endOf(child);
    const outcome = await outcomeOf(child, signal);
    throwIfAborted(signal);
    if (outcome.kind === 'held') return { kind: 'held', ended, release: () => release(child) };
    const isLate = performance.now() >= deadline;
    if (outcome.exitCode === REPLACED && !isLate) continue;
    if (isFirst) {
      // it is held, its folder has to be made, or this flock(1) knows no --no-fork (util-linux before 2.34)
      isFirst = false;
      continue;
    }
    if (outcome.exitCode === REPLACED || (outcome.exitCode === TIMED_OUT && outcome.stderr === ''))
      return { kind: 'timed-out' };
    return { kind: 'failed', reason: outcome.stderr.trim() || `the helper ${wayOf(await ended)}` };
  }
}

/** In words. */
export function wayOf({ exitCode, signal }: HelperEnd): string {
  return signal === null ? `ended with exit status ${String(exitCode)}` : `was ended by ${signal}`;
}

type Outcome =
  { readonly kind: 'held' } | { readonly kind: 'ended'; readonly exitCode: number | null; readonly stderr: string };

/**
 * In a process group of its own: Ctrl-C in a terminal must not end the helper while this process still undoes what it
 * began.
 */
function start([program = '', ...args]: readonly string[]): Child {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  child.stdin.on('error', () => undefined); // it may end while its standard input is closed
  return child;
}

/** The shell ends before its output is read to the end: the kernel has freed the lock by then. */
async function endOf(child: Child): Promise<HelperEnd> {
  return await new Promise((resolve) => {
    child.once('exit', (exitCode, signal) => {
      resolve({ exitCode, signal });
    });
    child.once('error', () => {
      resolve({ exitCode: null, signal: null });
    });
  });
}

async function outcomeOf(child: Child, signal: AbortSignal): Promise<Outcome> {
  let stderr = '';
  const stop = (): void => {
    child.stdin.end();
  };
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise<Outcome>((resolve) => {
      child.stdout.once('data', () => {
        resolve({ kind: 'held' });
      });
      child.once('error', (error) => {
        resolve({ kind: 'ended', exitCode: null, stderr: error.message });
      });
      child.once('close', (exitCode) => {
        resolve({ kind: 'ended', exitCode, stderr });
      });
    });
  } finally {
    signal.removeEventListener('abort', stop);
    if (signal.aborted) stop();
  }
}

async function release(child: Child): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'close');
  child.stdin.end();
  await ended;
}
