import type { Clock } from '../../src/host/clock.js';
import type { FakeRelease } from './fake-release.js';
import type { FakeTree } from './fake-tree.js';

const FOLDER = '/run/lock/iscsi';
const WRITE_LOCK = `${FOLDER}/lock.write`;
const NEVER = new AbortController().signal;
const [RETRIES, PAUSE_MS] = [3_000, 10];

/**
 * How iscsiadm takes the lock of its database (open-iscsi, usr/idbm.c, idbm_lock): a link, tried every 10 ms for 30 s.
 * 2.1.11 fails then; 2.1.8 goes on as if it had it, and removes it in the end, whosever it is.
 */
export class FakeToolLock {
  /** How long it is held to read one record. */
  readMs = 0;
  /** How many processes have asked in vain and ask again. */
  waiting = 0;
  #seed = 1;
  readonly #parts: { readonly tree: FakeTree; readonly clock: Clock; readonly release: () => FakeRelease };

  constructor(parts: { readonly tree: FakeTree; readonly clock: Clock; readonly release: () => FakeRelease }) {
    this.#parts = parts;
  }

  /**
   * A lock for each record that is read, one after the other (idbm_for_each_iface, __idbm_rec_read).
   * @returns false when it could not be had
   */
  async readRecords(count: number): Promise<boolean> {
    for (let record = 0; record < count; record++) {
      if (!(await this.take())) return false;
      if (this.readMs > 0) await this.#parts.clock.sleep(this.readMs, NEVER);
      this.giveBack();
      if (this.readMs > 0) await this.#parts.clock.sleep(this.readMs / 10, NEVER); // what it does with it
    }
    return true;
  }

  async take(): Promise<boolean> {
    const { tree, clock, release } = this.#parts;
    tree.directory(FOLDER);
    tree.write(`${FOLDER}/lock`, '');
    for (let tries = 0; tree.kind(WRITE_LOCK) !== undefined; tries++) {
      if (tries === RETRIES) return release().version === '2.1.8';
      this.waiting += 1;
      await clock.sleep(PAUSE_MS + this.#delay(), NEVER);
      this.waiting -= 1;
    }
    tree.write(WRITE_LOCK, '');
    return true;
  }

  /** usleep(3) sleeps for a while longer than asked: up to half a millisecond here, another each time. */
  #delay(): number {
    this.#seed = (this.#seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return this.#seed / 4_294_967_296;
  }

  giveBack(): void {
    this.#parts.tree.remove(WRITE_LOCK);
  }
}
