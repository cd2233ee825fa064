/** Half of libuv's threads: two stuck writes leave two for all other file and DNS work of the process. */
const LANES = 2;
/** Work that takes longer than this is stuck, or as good as that: nobody waits for its lane. */
const PATIENCE_MS = 250;

/** A place on a thread that is there already. */
export interface QuickLane {
  readonly release: () => void;
}

interface TakenLane {
  readonly since: number;
  readonly free: Promise<void>;
}

/**
 * A few of libuv's threads, for work that may block for minutes and nearly always takes milliseconds: a worker thread
 * costs 30 ms of a processor before it does anything. Who finds all lanes taken waits for one, but not for stuck work.
 */
export class ThreadPoolSlots {
  readonly #taken = new Set<TakenLane>();

  /** @returns `undefined` when the work should be done elsewhere */
  async take(): Promise<QuickLane | undefined> {
    const deadline = performance.now() + PATIENCE_MS;
    while (this.#taken.size >= LANES) {
      const now = performance.now();
      const worthWaitingFor = [...this.#taken].filter(({ since }) => now - since < PATIENCE_MS);
      if (worthWaitingFor.length === 0 || now >= deadline) return undefined;
      const until = Math.min(deadline, ...worthWaitingFor.map(({ since }) => since + PATIENCE_MS));
      await firstOf(
        worthWaitingFor.map(({ free }) => free),
        until - now,
      );
    }
    return this.#occupy();
  }

  #occupy(): QuickLane {
    let release = (): void => undefined;
    const lane = {
      since: performance.now(),
      free: new Promise<void>((resolve) => {
        release = resolve;
      }),
    };
    this.#taken.add(lane);
    return {
      release: () => {
        this.#taken.delete(lane);
        release();
      },
    };
  }
}

async function firstOf(events: readonly Promise<void>[], timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([...events, limit]);
  clearTimeout(timer);
}
