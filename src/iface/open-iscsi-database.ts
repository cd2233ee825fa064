import type { Clock } from '../host/clock.js';
import type { FileSystem } from '../host/file-system.js';
import type { DatabaseLocation } from './database-location.js';
import { holdDatabaseLock } from './database-lock.js';

export interface DatabaseParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  /** Finds out where the database is. @throws {VolumeError} when that cannot be told */
  readonly locate: (signal: AbortSignal) => Promise<DatabaseLocation>;
}

/** For what is found out for all who wait: it does not end with the signal of the first who asked. */
const NEVER = new AbortController().signal;

/** open-iscsi's database on this host: where it is, and its lock. One for all who read and write it in this process. */
export class OpenIscsiDatabase {
  readonly #files: FileSystem;
  readonly #clock: Clock;
  readonly #locate: DatabaseParts['locate'];
  #location: Promise<DatabaseLocation> | undefined;

  constructor({ files, clock, locate }: DatabaseParts) {
    this.#files = files;
    this.#clock = clock;
    this.#locate = locate;
  }

  /**
   * Where the database is: found out once, and anew after a failure.
   * @throws {VolumeError} `COMMAND_NOT_FOUND`, `DATABASE_FAILED`
   */
  async location(): Promise<DatabaseLocation> {
    const asked = this.#location ??= this.#locate(NEVER);
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

  /** Runs the body under open-iscsi's own lock. @throws {VolumeError} `DATABASE_LOCKED`; as location() */
  async hold<Result>(signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
    const { lockFolder } = await this.location();
    return await holdDatabaseLock({ files: this.#files, clock: this.#clock, folder: lockFolder, signal }, body);
  }
}
