import { readdir, readFile, readlink } from 'node:fs/promises';
import type { ProcessIdentity, Processes } from '../processes.js';

let own: Promise<ProcessIdentity> | undefined;

/** The processes of this host, as the kernel tells of them. */
export const SYSTEM_PROCESSES: Processes = {
  self: async () => await (own ??= readSelf()),
  hasEnded: async (process) => {
    const self = await SYSTEM_PROCESSES.self();
    if (process.bootId === '' || self.bootId === '') return false;
    if (process.bootId !== self.bootId) return true;
    if (process.namespaces === '' || process.namespaces !== self.namespaces || process.start === '') return false;
    if (!exists(process.pid)) return true;
    const stat = await readStat(process.pid);
    return (
      stat !== undefined &&
      (stat.start !== process.start || (stat.state === 'Z' && (await threadsOf(process.pid)) <= 1))
    );
  },
};

async function readSelf(): Promise<ProcessIdentity> {
  const [bootId, pidNamespace, timeNamespace, stat] = await Promise.all([
    textOf('/proc/sys/kernel/random/boot_id'),
    namespace('pid'),
    namespace('time'),
    readStat(process.pid),
  ]);
  return {
    bootId: bootId.trim(),
    namespaces: pidNamespace === '' ? '' : `${pidNamespace}.${timeNamespace || '0'}`,
    pid: process.pid,
    start: stat?.start ?? '',
  };
}

/**
 * By a signal that is none, which a /proc that hides the processes of others (proc(5), hidepid) does not change the
 * answer to.
 */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

/** The name of the program may hold blanks and parentheses: what follows is counted from the last of those. */
async function readStat(pid: number): Promise<{ readonly state: string; readonly start: string } | undefined> {
  const text = await textOf(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, start] = [fields[0], fields[19]];
  return text === '' || state === undefined || start === undefined ? undefined : { state, start };
}

async function threadsOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/task`).catch(() => [])).length;
}

/** `pid:[4026531836]`; Linux before 5.6 has no namespace of time. */
async function namespace(kind: 'pid' | 'time'): Promise<string> {
  const link = await readlink(`/proc/self/ns/${kind}`).catch(() => '');
  return /^\w+:\[(\d+)\]$/.exec(link)?.[1] ?? '';
}

async function textOf(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '');
}
