import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { throwIfAborted } from '../../base/aborted.js';

/**
 * Where nobody holds the lock: flock(1) takes it and becomes this shell, which becomes rm(1) in the end, so that the
 * whole lock costs one process. It does no more than the end of the long way below.
 */
const AT_ONCE = `
for open in /proc/self/fd/*; do [ "$1" -ef "$open" ] && same=1; done
[ "$same" ] || exit 76
echo held
read -r _
exec rm -f "$1"`;

/**
 * Where somebody does. Takes the lock, proves that the file is still the one that the name leads to (its last holder
 * removes it), says so, and holds on until its standard input ends: when this process dies, however it dies, the lock
 * is free at once and the file is gone. The end of standard input ends the waiting for the lock as well. While it is
 * held, no child has the lock's file open, which would hold it too.
 */
const SCRIPT = `
[ -d "$2" ] || mkdir -p "$2"
exec 3<&0 9>>"$1" || exit 74
flock -x -w "$3" 9 & taking=$!
{ read -r _ <&3; kill "$taking"; } 2>/dev/null & watching=$!
wait "$taking"
taken=$?
kill "$watching" 2>/dev/null
wait "$watching" 2>/dev/null
[ "$taken" = 1 ] && exit 75
[ "$taken" = 0 ] || exit 74
[ "$1" -ef /proc/self/fd/9 ] || exit 76
echo held
read -r _ <&3
rm -f "$1"`;
const TIMED_OUT = 75;
const REPLACED = 76;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** What became of a try to take a lock. */
export type Taking =
  | { readonly kind: 'held'; readonly release: () => Promise<void> }
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Takes an exclusive flock(1) on the file, which is made when it is not there, and gone when its last holder lets go.
 */
export async function takeFlock(
  directory: string,
  name: string,
  { waitMs, rootHelper }: { readonly waitMs: number; readonly rootHelper: readonly string[] },
  signal: AbortSignal,
): Promise<Taking> {
  const file = `${directory}/${name}`;
  const atOnce = ['flock', '--no-fork', '--exclusive', '--nonblock', file, 'sh', '-c', AT_ONCE, 'sh', file];
  const inTime = [...rootHelper, 'sh', '-c', SCRIPT, 'sh', file, directory, String(waitMs / 1000)];
  // after a boot it is not there; where more than that is wrong the shell below tells
  if (rootHelper.length === 0) await mkdir(directory).catch(() => undefined);
  for (let command = rootHelper.length === 0 ? atOnce : inTime; ;) {
    throwIfAborted(signal);
    const child = start(command);
    const outcome = await outcomeOf(child, signal);
    throwIfAborted(signal);
    if (outcome.kind === 'held') return { kind: 'held', release: () => release(child) };
    if (outcome.exitCode === REPLACED) continue;
    if (command === atOnce) {
      // it is held, its folder has to be made, or this flock(1) knows no --no-fork (util-linux before 2.34)
      command = inTime;
      continue;
    }
    if (outcome.exitCode === TIMED_OUT && outcome.stderr === '') return { kind: 'timed-out' };
    return {
      kind: 'failed',
      reason: outcome.stderr.trim() || `the helper ended with exit status ${String(outcome.exitCode)}`,
    };
  }
}

type Outcome =
  { readonly kind: 'held' } | { readonly kind: 'ended'; readonly exitCode: number | null; readonly stderr: string };

/**
 * In a process group of its own: Ctrl-C in a terminal must not end the helper while this process still undoes what it
 * began.
 */
function start([program = '', ...args]: readonly string[]): Child {
  return spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
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
