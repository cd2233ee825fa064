import type { ProcessIdentity, Processes } from '../../src/host/processes.js';

const BOOT = '8f2b6f0e-1d1c-4a39-9a55-1c1f0d7f2f10';
const NAMESPACES = '4026531836.4026531834';

/** The processes of a made-up host: each that starts has the next number. */
export class FakeProcessTable {
  readonly #running = new Map<number, string>();
  #last = 4_000;

  /** @param pid one that another has had before, where that matters */
  start(pid = ++this.#last): FakeProcess {
    const identity = { bootId: BOOT, namespaces: NAMESPACES, pid, start: String(100_000 + this.#last++) };
    this.#running.set(pid, identity.start);
    return new FakeProcess(this, identity);
  }

  end({ pid, start }: ProcessIdentity): void {
    if (this.#running.get(pid) === start) this.#running.delete(pid);
  }

  /** As SYSTEM_PROCESSES decides it. */
  hasEnded({ bootId, namespaces, pid, start }: ProcessIdentity): boolean {
    if (bootId !== BOOT) return bootId !== '';
    return namespaces === NAMESPACES && start !== '' && this.#running.get(pid) !== start;
  }
}

/** The host's processes as one of them sees them. */
export class FakeProcess implements Processes {
  readonly #table: FakeProcessTable;
  readonly identity: ProcessIdentity;

  constructor(table: FakeProcessTable, identity: ProcessIdentity) {
    this.#table = table;
    this.identity = identity;
  }

  async self(): Promise<ProcessIdentity> {
    return this.identity;
  }

  async hasEnded(process: ProcessIdentity): Promise<boolean> {
    return this.#table.hasEnded(process);
  }

  /** SIGKILL. Whoever calls sees to it that the driver of this process does nothing any more. */
  kill(): void {
    this.#table.end(this.identity);
  }
}
