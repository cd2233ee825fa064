import { readFile, stat } from 'node:fs/promises';
import type { ProcessIdentity } from '../processes.js';
import { SYSTEM_PROCESSES } from './system-processes.js';

/** The process whose call has a lock. */
export interface LockHolder {
  readonly pid: number;
  /** As the kernel names it (/proc/PID/comm). */
  readonly program: string;
  /** When it took the lock: ISO 8601. */
  readonly since: string;
}

const PATTERN = /^pid=(?<pid>\d+) start=(?<start>\d+) boot=(?<bootId>[0-9a-f-]+) namespaces=(?<namespaces>\d+\.\d+)$/;

/** What a lock file says of its holder. When it took the lock is the time of the file's last change. */
export function holderText({ pid, start, bootId, namespaces }: ProcessIdentity): string {
  return `pid=${pid} start=${start} boot=${bootId} namespaces=${namespaces}`;
}

/**
 * The holder of a lock that is held.
 * @returns `undefined` where the file does not say (another version or program has the lock), and where the kernel does
 * not show that very process: it may be in another container, and its number may be another's by now
 */
export async function readHolder(file: string): Promise<LockHolder | undefined> {
  try {
    const { pid, start, bootId, namespaces } = PATTERN.exec((await readFile(file, 'utf8')).trim())?.groups ?? {};
    if (pid === undefined || start === undefined || bootId === undefined || namespaces === undefined) return undefined;
    const holder = { pid: Number(pid), start, bootId, namespaces };
    const self = await SYSTEM_PROCESSES.self();
    if (bootId !== self.bootId || namespaces !== self.namespaces) return undefined;
    const program = (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
    const { mtime } = await stat(file);
    if (await SYSTEM_PROCESSES.hasEnded(holder)) return undefined;
    return { pid: holder.pid, program, since: mtime.toISOString() };
  } catch {
    return undefined; // the lock was given back, or its file or process is not for this user to see
  }
}
