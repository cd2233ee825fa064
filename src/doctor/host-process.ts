import type { FileSystem } from '../host/file-system.js';

/**
 * A process of this host. Anybody may give a process of his any name: it is evidence, and nothing of it is ever run.
 */
export interface HostProcess {
  readonly pid: number;
  readonly name: string;
  /**
   * Why it cannot go on: stopped by a signal or a debugger, or waiting for a disk without end (proc_pid_stat(5): `T`,
   * `t`; `D`).
   */
  readonly stalled: 'stopped' | 'blocked' | undefined;
}

/** The processes of these names. A process that ends while we look is not there. */
export async function readProcesses(files: FileSystem, names: readonly string[]): Promise<readonly HostProcess[]> {
  const pids = (await files.list('/proc')).filter((name) => /^\d+$/.test(name));
  const processes = await Promise.all(
    pids.map(async (pid) => parseStat((await files.readText(`/proc/${pid}/stat`)) ?? '')),
  );
  return processes
    .filter((process) => process !== undefined)
    .filter(({ name }) => names.includes(name))
    .toSorted((one, other) => one.pid - other.pid);
}

/** `4711 (iscsid) S 1 …`; a name may hold blanks and parentheses. */
function parseStat(text: string): HostProcess | undefined {
  const [, pid, name, state] = /^(\d+) \((.*)\) (\S)/s.exec(text) ?? [];
  return pid === undefined || name === undefined || state === undefined
    ? undefined
    : { pid: Number(pid), name, stalled: stalledBy(state) };
}

function stalledBy(state: string): HostProcess['stalled'] {
  if (state === 'T' || state === 't') return 'stopped';
  return state === 'D' ? 'blocked' : undefined;
}
