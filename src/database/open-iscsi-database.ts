import type { Logger } from '../base/logger.js';
import type { Clock } from '../host/clock.js';
import type { FileSystem } from '../host/file-system.js';
import type { Locks } from '../host/locks.js';
import type { Processes } from '../host/processes.js';
import type { DatabaseLocation } from './database-location.js';
import { DatabaseLock, type LockOwner } from './database-lock.js';
import { ownName, removeLeftoversIfAllowed } from './file-owner.js';
import { ReaderGate } from './reader-gate.js';

export interface DatabaseParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly processes: Processes;
  readonly locks: Locks;
  readonly logger: Logger;
  /** Finds out where the database is. @throws {VolumeError} when that cannot be told */
  readonly locate: (signal: AbortSignal) => Promise<DatabaseLocation>;
}

/**
 * A file of a record to be, on the disk beside the database's folders: open-iscsi takes any file in those for a record.
 */
export interface Draft {
  readonly text: string;
  readonly path: string;
}

/** For what is found out for all who wait: it does not end with the signal of the first who asked. */
const NEVER = new AbortController().signal;
/** Files of killed processes are looked for this often. */
const SWEEP_MS = 60_000;
const READING_MS_A_TARGET = 100;

/**
 * open-iscsi's database on this host: where it is, its lock, and files on their way into it. One for all who read and
 * write it in this process.
 */
export class OpenIscsiDatabase {
  readonly #parts: DatabaseParts;
  readonly #gate: ReaderGate;
  #location: Promise<DatabaseLocation> | undefined;
  #lock: { readonly folder: string; readonly lock: DatabaseLock } | undefined;
  #sweptAt: number | undefined;

  constructor(parts: DatabaseParts) {
    this.#parts = parts;
    this.#gate = new ReaderGate(parts);
  }

  /**
   * Where the database is: found out once, and anew after a failure.
   * @throws {VolumeError} `COMMAND_NOT_FOUND`, `DATABASE_FAILED`
   */
  async location(): Promise<DatabaseLocation> {
    const asked = (this.#location ??= this.#parts.locate(NEVER));
    try {
      return await asked;
    } catch (error) {
      if (this.#location === asked) this.#location = undefined;
      throw error;
    }
  }

  /** The folder of `nodes`, `ifaces` and `send_targets`. @throws as location() */
  async root(): Promise<string> {
    return (await this.location()).root;
  }

  /** The next who asks has it found out anew: an upgrade may have put another open-iscsi here. */
  forget(): void {
    this.#location = undefined;
  }

  /**
   * Runs the body under open-iscsi's own lock. Others of this process that wait for it share it.
   * @throws {VolumeError} `DATABASE_LOCKED`; as location()
   */
  async hold<Result>(signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
    const location = await this.location();
    const result = await this.#lockIn(location.lockFolder).hold(signal, body);
    await this.#sweep(location);
    return result;
  }

  /** The process of this library that has the lock. @throws as location() */
  async lockOwner(): Promise<LockOwner | undefined> {
    return await this.#lockIn((await this.location()).lockFolder).owner();
  }

  /**
   * Has the text written to the disk before the body, which may take a while, and there under a name of its own until
   * the body has ended. The body, under the lock, gives it its place by a rename.
   * @throws as location(); {VolumeError} `PERMISSION_DENIED`
   */
  async withDraft<Result>(text: string, body: (draft: Draft) => Promise<Result>): Promise<Result> {
    const { files, processes } = this.#parts;
    const root = await this.root();
    const path = `${root}/.${ownName(await processes.self())}`;
    await files.makeDirectory(root, 0o770);
    await files.create(path, text, 0o600);
    try {
      return await body({ text, path });
    } finally {
      await files.remove(path);
    }
  }

  /**
   * Runs an iscsiadm that reads every record: not too many at once, and not behind a lock that nobody gives back.
   * @throws as the body; {VolumeError} `ABORTED` before it has begun; as location()
   */
  async whileReading<Result>(signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
    return await this.#gate.pass(
      () => this.#readingMs(),
      signal,
      async () => {
        await this.#lockIn((await this.location()).lockFolder).freeFromDead();
        return await body();
      },
    );
  }

  /** More than the records take, however many read them at once. */
  async #readingMs(): Promise<number> {
    return READING_MS_A_TARGET * (await this.#parts.files.list(`${await this.root()}/nodes`)).length;
  }

  /** Takes away what killed processes have left of the lock and beside the database, where nobody came for it. */
  async tidy(): Promise<void> {
    const location = await this.location();
    await this.#lockIn(location.lockFolder).freeFromDead();
    await this.#sweep(location);
  }

  /** One for each folder, as calls of this process share it. */
  #lockIn(folder: string): DatabaseLock {
    if (this.#lock?.folder !== folder) this.#lock = { folder, lock: new DatabaseLock({ ...this.#parts, folder }) };
    return this.#lock.lock;
  }

  async #sweep({ root, lockFolder }: DatabaseLocation): Promise<void> {
    const now = this.#parts.clock.now();
    if (this.#sweptAt !== undefined && now - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now;
    await removeLeftoversIfAllowed(this.#parts, lockFolder);
    await removeLeftoversIfAllowed(this.#parts, root, '.');
  }
}
