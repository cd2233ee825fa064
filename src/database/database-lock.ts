import { aborted, onAbort, throwIfAborted } from '../base/aborted.js';
import type { Logger } from '../base/logger.js';
import { shellWords } from '../base/quoted.js';
import { VolumeError } from '../base/volume-error.js';
import type { Clock } from '../host/clock.js';
import type { FileSystem } from '../host/file-system.js';
import type { Locks } from '../host/locks.js';
import type { Processes } from '../host/processes.js';
import { ownerOf, ownName } from './file-owner.js';

/** There while somebody uses the database. @param folder that of the lock */
export function writeLockIn(folder: string): string {
  return `${folder}/lock.write`;
}

export interface DatabaseLockParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly processes: Processes;
  /** Of one process at a time, which takes a dead one's lock away. */
  readonly locks: Locks;
  readonly logger: Logger;
  /** Of the lock: `/run/lock/iscsi`. */
  readonly folder: string;
}

/**
 * As open-iscsi's own tools: asked every 10 ms, for 30 s (usr/idbm.c, idbm_lock; usr/idbm.h, DB_LOCK_RETRIES). Who asks
 * less often comes too late again and again where many ask.
 */
const LONGEST_PAUSE_MS = 10;
const PATIENCE_MS = 30_000;
/** Whose the lock is that is there. */
const LOOK_MS = 250;
/** Those of this process that wait share a hold. After this long it is given back first, for others wait too. */
const LONGEST_HOLD_MS = 100;
/** The key of the lock between those who take a dead process's lock away. */
const TAKEOVER_KEY = 'open-iscsi-database';
const NEVER = new AbortController().signal;

export interface LockOwner {
  readonly pid: number;
  /** Whether it has ended for certain: the next who needs the lock takes it over. */
  readonly hasEnded: boolean;
}

interface Waiting {
  readonly since: number;
  readonly body: () => Promise<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Tells one who waited what became of it, or that the lock could not be given back. */
type Answer = (failure: { readonly error: unknown } | undefined) => void;

interface Held {
  /** The file that the lock is a second name of, and its text. */
  readonly path: string;
  readonly name: string;
}

/**
 * open-iscsi's own lock on its database, taken in its own way: a hard link of a fixed name, whoever makes it has the
 * lock (usr/idbm.c, idbm_lock). Its link is of a file that names nobody; ours is of one that names this process, so
 * that the lock of a process that was killed is told from that of one that runs. Calls of one process queue for one
 * hold, in their order, and share it.
 */
export class DatabaseLock {
  readonly #parts: DatabaseLockParts;
  readonly #waiting: Waiting[] = [];
  #serving: symbol | undefined;
  #heldAt = 0;
  #bodySince: number | undefined;

  constructor(parts: DatabaseLockParts) {
    this.#parts = parts;
  }

  get #path(): string {
    return writeLockIn(this.#parts.folder);
  }

  /**
   * Runs the body under the lock.
   * @throws {VolumeError} `DATABASE_LOCKED` that says whose it is, `PERMISSION_DENIED`, `ABORTED`
   */
  async hold<Result>(signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
    throwIfAborted(signal);
    const settled = new AbortController();
    let off: (() => void) | undefined;
    try {
      return await new Promise<Result>((resolve, reject) => {
        const waiting: Waiting = {
          since: this.#parts.clock.now(),
          body,
          resolve: resolve as (result: unknown) => void,
          reject,
        };
        off = onAbort(signal, () => {
          if (!this.#waiting.includes(waiting)) return;
          this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
          reject(aborted(signal));
        });
        this.#waiting.push(waiting);
        this.#serve();
        this.#guard(waiting, settled.signal).catch(() => undefined);
      });
    } finally {
      off?.();
      settled.abort();
    }
  }

  /** The process of this library that has the lock; `undefined` when it is free, or another program's. */
  async owner(): Promise<LockOwner | undefined> {
    const { files, processes } = this.#parts;
    const owner = ownerOf((await files.readText(this.#path)) ?? '');
    return owner === undefined ? undefined : { pid: owner.pid, hasEnded: await processes.hasEnded(owner) };
  }

  /**
   * Sees to it that no iscsiadm waits in vain for a lock that a killed process of this library left.
   * @throws {VolumeError} `PERMISSION_DENIED`, `LOCK_TIMED_OUT`
   */
  async freeFromDead(): Promise<void> {
    const { processes, folder } = this.#parts;
    if ((await this.#parts.files.readText(this.#path)) === undefined) return;
    await this.#tookFromDead(`${folder}/${ownName(await processes.self())}.taken`);
  }

  #serve(): void {
    if (this.#serving !== undefined) return;
    const turn = Symbol('turn');
    this.#serving = turn;
    this.#serveAll(turn)
      .catch((error: unknown) => {
        this.#refuseAll(error);
      })
      .finally(() => {
        if (this.#serving !== turn) return;
        this.#serving = undefined;
        if (this.#waiting.length > 0) this.#serve();
      })
      .catch(() => undefined);
  }

  /**
   * A body that never comes back, as its disk hangs, keeps the lock and must not keep those behind it without an
   * answer: they ask for the lock themselves.
   */
  async #guard(waiting: Waiting, settled: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    for (;;) {
      await clock.sleep(PATIENCE_MS, settled);
      if (!this.#waiting.includes(waiting)) return;
      if (this.#bodySince === undefined || clock.now() - this.#bodySince < PATIENCE_MS) continue;
      this.#bodySince = undefined;
      this.#serving = undefined;
      this.#serve();
    }
  }

  async #serveAll(turn: symbol): Promise<void> {
    while (this.#waiting.length > 0 && this.#serving === turn) {
      const held = await this.#take();
      if (held === undefined) return;
      const answers = await this.#runWaiting(turn);
      const failure = await this.#giveBack(held).then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      for (const answer of answers) answer(failure);
    }
  }

  /** @returns what is to be told to each, once the lock has been given back */
  async #runWaiting(turn: symbol): Promise<readonly Answer[]> {
    const { clock } = this.#parts;
    const answers: Answer[] = [];
    this.#heldAt = clock.now();
    const until = this.#heldAt + LONGEST_HOLD_MS;
    do {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#bodySince = clock.now();
      answers.push(await answerOf(next));
      if (this.#serving !== turn) break;
      this.#bodySince = undefined;
    } while (this.#waiting.length > 0 && clock.now() < until);
    this.#heldAt = clock.now();
    return answers;
  }

  /** @returns `undefined` when nobody waits any more */
  async #take(): Promise<Held | undefined> {
    const { files, clock, processes, folder } = this.#parts;
    const name = ownName(await processes.self());
    const held = { path: `${folder}/${name}`, name };
    await files.makeDirectory(folder, 0o770);
    await files.create(held.path, name, 0o644);
    try {
      let look = clock.now();
      for (let pause = 1; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
        if (await files.link(held.path, this.#path)) return held;
        if (clock.now() >= look) {
          look = clock.now() + LOOK_MS;
          if (await this.#tookFromDead(`${held.path}.taken`)) continue;
        }
        const late = this.#takeLate();
        if (this.#waiting.length === 0) {
          await this.#leave(held, late);
          return undefined;
        }
        await this.#refuse(late);
        await clock.sleep(pause, NEVER);
      }
    } catch (error) {
      await files.remove(held.path);
      throw error;
    }
  }

  /** Nobody waits any more: what is refused is told once nothing is left. */
  async #leave({ path }: Held, late: readonly Waiting[]): Promise<void> {
    await this.#parts.files.remove(path);
    await this.#refuse(late);
  }

  /**
   * Up to open-iscsi 2.1.9 an iscsiadm that has waited for 30 s goes on without the lock, and removes it, whosever it
   * is (usr/idbm.c, idbm_lock): then another may have it by now.
   */
  async #giveBack({ path, name }: Held): Promise<void> {
    const { files, logger } = this.#parts;
    if ((await files.readText(this.#path)) === name) await files.remove(this.#path);
    else logger.warn("Somebody removed open-iscsi's database lock while it was held", { path: this.#path });
    await files.remove(path);
  }

  /**
   * Takes a lock away whose owner has provably ended. Of those who find that out at once one does it, under a lock that
   * ends with its holder. Nobody else can have taken the lock meanwhile, for it is there; but for an iscsiadm that goes
   * on without it (see above). So it is moved aside, not removed: if it was another's by then, it is put back.
   * @param aside a path that nobody else uses
   */
  async #tookFromDead(aside: string): Promise<boolean> {
    const { files, processes, locks, logger } = this.#parts;
    const name = await files.readText(this.#path);
    const owner = name === undefined ? undefined : ownerOf(name);
    if (owner === undefined || !(await processes.hasEnded(owner))) return false;
    return await locks.hold([TAKEOVER_KEY], NEVER, async (held) => {
      if ((await files.readText(this.#path)) !== name) return true;
      if (held.aborted) return false; // the next look tries again
      if (!(await files.rename(this.#path, aside))) return true;
      const isTheirs = (await files.readText(aside)) === name;
      if (!isTheirs) await files.link(aside, this.#path);
      await files.remove(aside);
      if (isTheirs)
        logger.warn("Took open-iscsi's database lock from a process that was killed", {
          pid: owner.pid,
          path: this.#path,
        });
      return true;
    });
  }

  /** @returns those who have waited for too long, which do not wait any more */
  #takeLate(): readonly Waiting[] {
    const now = this.#parts.clock.now();
    const isLate = ({ since }: Waiting): boolean => now - Math.max(since, this.#heldAt) >= PATIENCE_MS;
    const [late, others] = [this.#waiting.filter(isLate), this.#waiting.filter((waiting) => !isLate(waiting))];
    this.#waiting.splice(0, this.#waiting.length, ...others);
    return late;
  }

  async #refuse(late: readonly Waiting[]): Promise<void> {
    if (late.length === 0) return;
    const error = await this.#locked();
    for (const { reject } of late) reject(error);
  }

  #refuseAll(error: unknown): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  async #locked(): Promise<VolumeError> {
    const owner = ownerOf((await this.#parts.files.readText(this.#path)) ?? '');
    const hint =
      owner === undefined
        ? `if "pgrep -x iscsiadm" prints nothing, a killed iscsiadm left it: rm ${shellWords(this.#path)}`
        : `it is of process ${owner.pid} of this library, here or in another container: if that has ended, rm ` +
          shellWords(this.#path);
    return new VolumeError(
      'DATABASE_LOCKED',
      `Cannot lock open-iscsi's database: ${this.#path} was never free for ${PATIENCE_MS / 1000} s`,
      { hint, details: { path: this.#path, ...(owner === undefined ? {} : { pid: owner.pid }) } },
    );
  }
}

async function answerOf({ body, resolve, reject }: Waiting): Promise<Answer> {
  try {
    const result = await body();
    return (failure) => {
      if (failure === undefined) resolve(result);
      else reject(failure.error);
    };
  } catch (error) {
    return () => {
      reject(error);
    };
  }
}
