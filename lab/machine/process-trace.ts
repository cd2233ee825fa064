import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { run } from './commands.js';

const TRACING = '/sys/kernel/tracing';
const EVENTS = ['task/task_newtask', 'sched/sched_process_exec'] as const;
/** Linux, include/uapi/linux/sched.h: such a task is a thread of the process that it comes from. */
const CLONE_THREAD = 0x10000;

/** One process: the programs that it became, in order. Without one it is a copy of the process that it comes from. */
export type TracedProcess = readonly string[];

/**
 * Every process that this one starts, and that those start in turn: by the kernel's own word (tracefs), which no short
 * life escapes.
 */
export class ProcessTrace implements Disposable {
  static async open(): Promise<ProcessTrace> {
    if (!existsSync(`${TRACING}/set_event_pid`)) await run('mount', ['-t', 'tracefs', 'tracefs', TRACING]);
    return new ProcessTrace();
  }

  private constructor() {
    write('trace_options', 'event-fork'); // what a traced task starts is traced as well
    write('trace_options', 'norecord-cmd');
  }

  /** Runs the body and gives what it started. */
  async during(body: () => Promise<unknown>): Promise<readonly TracedProcess[]> {
    write('set_event_pid', readdirSync('/proc/self/task').join(' '));
    write('trace', '');
    for (const event of EVENTS) write(`events/${event}/enable`, '1');
    try {
      await body();
    } finally {
      this.#stop();
    }
    return processesIn(readFileSync(`${TRACING}/trace`, 'utf8'));
  }

  [Symbol.dispose](): void {
    this.#stop();
    write('trace_options', 'noevent-fork');
    write('trace', '');
  }

  #stop(): void {
    for (const event of EVENTS) write(`events/${event}/enable`, '0');
    write('set_event_pid', '');
  }
}

function processesIn(trace: string): readonly TracedProcess[] {
  const programs = new Map<string, string[]>();
  for (const line of trace.split('\n')) {
    const [, pid, flags] = /task_newtask: pid=(\d+) .*clone_flags=([0-9a-f]+)/.exec(line) ?? [];
    if (pid !== undefined && (Number.parseInt(flags ?? '', 16) & CLONE_THREAD) === 0) programs.set(pid, []);
    const [, program = '', by = ''] = /sched_process_exec: filename=(.+) pid=(\d+)/.exec(line) ?? [];
    programs.get(by)?.push(basename(program));
  }
  return [...programs.values()];
}

function write(file: string, text: string): void {
  writeFileSync(`${TRACING}/${file}`, text);
}
