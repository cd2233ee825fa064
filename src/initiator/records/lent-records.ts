import { digest } from '../../base/digest.js';
import { errorChain } from '../../base/error-chain.js';
import type { Logger } from '../../base/logger.js';
import type { FileSystem } from '../../host/file-system.js';
import { formatLentRecord, type LentRecord, parseLentRecord } from './lent-record.js';

export interface LentRecordsParts {
  readonly files: FileSystem;
  readonly logger: Logger;
  readonly stateDirectory: string;
}

/**
 * The copies of administrators' records that have our settings, in `state_directory`, one file each: written through to
 * the disk before the record is, and removed once it is as it was. One that is there while nobody logs in to its target
 * was left by a process that was killed. Whoever holds the target's lock reads and writes it.
 */
export class LentRecords {
  readonly #files: FileSystem;
  readonly #logger: Logger;
  readonly #folder: string;

  constructor({ files, logger, stateDirectory }: LentRecordsParts) {
    this.#files = files;
    this.#logger = logger;
    this.#folder = `${stateDirectory}/records`;
  }

  /** @throws {VolumeError} `PERMISSION_DENIED` */
  async keep(record: LentRecord): Promise<void> {
    const file = this.#fileOf(record.path);
    const temporary = `${file}.new`;
    await this.#files.makeDirectory(this.#folder, 0o700);
    await this.#files.remove(temporary); // which a crash may have left
    await this.#files.create(temporary, formatLentRecord(record), 0o600);
    await this.#files.rename(temporary, file);
  }

  /** One that cannot be read is told of and counts as none. */
  async find(path: string): Promise<LentRecord | undefined> {
    const record = await this.#read(this.#fileOf(path));
    return record?.path === path ? record : undefined;
  }

  /** Those too whose copy was not finished: their records were not written to yet. */
  async all(): Promise<readonly LentRecord[]> {
    const names = await this.#files.list(this.#folder);
    const records = await Promise.all(names.map(async (name) => await this.#read(`${this.#folder}/${name}`)));
    return [...new Map(records.flatMap((record) => (record === undefined ? [] : [[record.path, record]]))).values()];
  }

  async drop(path: string): Promise<void> {
    const file = this.#fileOf(path);
    await this.#files.remove(file);
    await this.#files.remove(`${file}.new`);
    await this.#files.removeDirectory(this.#folder);
  }

  async #read(file: string): Promise<LentRecord | undefined> {
    const text = await this.#files.readText(file);
    if (text === undefined) return undefined;
    try {
      return parseLentRecord(text);
    } catch (error) {
      this.#logger.warn("Cannot read the copy of an administrator's record", { file, reason: errorChain(error) });
      return undefined;
    }
  }

  /** A record's path is longer than a file's name may be. */
  #fileOf(path: string): string {
    return `${this.#folder}/${digest(path)}.json`;
  }
}
