import type { Scenario } from '../plan.js';

/** A scenario in the machine of one release. */
export interface Job {
  readonly scenario: Scenario;
  readonly release: string;
}

/** What a boot costs, so that a machine is not booted for less. */
const BOOT_SECONDS = 30;

/** The longest first, so that all machines end at about one time. */
export function longestFirst(jobs: readonly Job[]): readonly Job[] {
  return jobs.toSorted((a, b) => b.scenario.seconds - a.scenario.seconds);
}

/** The scenarios that wait, in this order, for machines that ask. */
export class JobQueue {
  readonly #waiting: Job[];
  readonly #machines = new Map<string, number>();

  constructor(jobs: readonly Job[]) {
    this.#waiting = [...jobs];
  }

  /**
   * The release of a machine that is about to boot: one that no machine runs yet, where there is such a one,
   * else that with the most work for each machine.
   * @returns undefined when no machine is needed any more
   */
  claim(): string | undefined {
    const left = new Map<string, number>();
    for (const { release, scenario } of this.#waiting) left.set(release, (left.get(release) ?? 0) + scenario.seconds);
    const [best] = [...left]
      .map(([release, seconds]) => ({ release, seconds, machines: this.#machines.get(release) ?? 0 }))
      .filter(({ seconds, machines }) => machines === 0 || seconds > BOOT_SECONDS)
      .map((each) => ({ ...each, isRun: each.machines > 0, share: each.seconds / (each.machines + 1) }))
      .sort((a, b) => Number(a.isRun) - Number(b.isRun) || b.share - a.share);
    if (best !== undefined) this.#machines.set(best.release, best.machines + 1);
    return best?.release;
  }

  /** For a machine that runs: its next scenario. */
  next(release: string): Scenario | undefined {
    const at = this.#waiting.findIndex((job) => job.release === release);
    return at === -1 ? undefined : this.#waiting.splice(at, 1)[0]?.scenario;
  }

  /** When a machine that claim() was asked for has ended. */
  leave(release: string): void {
    this.#machines.set(release, (this.#machines.get(release) ?? 1) - 1);
  }

  /** Those that nobody has taken. */
  get waiting(): readonly Job[] {
    return this.#waiting;
  }
}
