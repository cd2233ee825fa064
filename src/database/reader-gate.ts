import { aborted, onAbort, throwIfAborted } from '../base/aborted.js';
import type { Clock } from '../host/clock.js';

/**
 * Who reads the whole database at once. Each iscsiadm that logs in takes the lock once for every record there is, of
 * whatever target (usr/idbm.c, idbm_for_each_rec), and gives up when it was not free for it for 30 s: with hundreds
 * beside each other some would. With this many none comes near that, and all are done as soon.
 */
const READERS = 16;
/** Most logins are done by then. */
const SOON_MS = 2_000;

interface Waiting {
  readonly go: () => void;
}

/** Lets so many at once read open-iscsi's database; the others wait, first come, first served. */
export class ReaderGate {
  readonly #clock: Clock;
  readonly #waiting: Waiting[] = [];
  #reading = 0;

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /**
   * Runs the body when there is room.
   * @param readingMs this long after the first two seconds it is taken to have read, and to wait for a target that does
   * not answer: it holds nobody up any more. Asked for only then
   * @throws {VolumeError} `ABORTED` before the body has begun
   */
  async pass<Result>(
    readingMs: () => Promise<number>,
    signal: AbortSignal,
    body: () => Promise<Result>,
  ): Promise<Result> {
    throwIfAborted(signal);
    if (this.#reading >= READERS) await this.#turn(signal);
    else this.#reading += 1;
    const ended = new AbortController();
    const left = this.#leaveAfter(readingMs, ended.signal);
    try {
      return await body();
    } finally {
      ended.abort();
      await left;
    }
  }

  async #leaveAfter(readingMs: () => Promise<number>, ended: AbortSignal): Promise<void> {
    await this.#read(readingMs, ended).catch(() => undefined);
    const next = this.#waiting.shift();
    if (next === undefined) this.#reading -= 1;
    else next.go();
  }

  async #read(readingMs: () => Promise<number>, ended: AbortSignal): Promise<void> {
    await this.#clock.sleep(SOON_MS, ended);
    await this.#clock.sleep(await readingMs(), ended);
  }

  async #turn(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        go: () => {
          off();
          resolve();
        },
      };
      const off = onAbort(signal, () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(aborted(signal));
      });
      this.#waiting.push(waiting);
    });
  }
}
