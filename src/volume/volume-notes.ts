import { errorChain } from '../base/error-chain.js';
import type { Logger } from '../base/logger.js';
import type { FileSystem } from '../host/file-system.js';
import type { TargetUnit } from '../device/units-behind.js';
import { formatVolumeNote, parseVolumeNote, type VolumeNote } from './volume-note.js';

export interface VolumeNotesParts {
  readonly files: FileSystem;
  readonly logger: Logger;
  readonly stateDirectory: string;
}

/**
 * What is known of the volumes of this host, in `state_directory`: one file for each target and LUN, since that is what
 * a connection_info names. A volume behind several targets has the same note at each. Whoever holds the targets' locks
 * reads and writes them.
 */
export class VolumeNotes {
  readonly #files: FileSystem;
  readonly #logger: Logger;
  readonly #folder: string;

  constructor({ files, logger, stateDirectory }: VolumeNotesParts) {
    this.#files = files;
    this.#logger = logger;
    this.#folder = `${stateDirectory}/volumes`;
  }

  /** The note of the first unit that has one. One that cannot be read is told of and counts as none. */
  async find(units: readonly TargetUnit[]): Promise<VolumeNote | undefined> {
    for (const file of this.#filesOf(units)) {
      const text = await this.#files.readText(file);
      if (text === undefined) continue;
      try {
        return parseVolumeNote(text);
      } catch (error) {
        this.#logger.warn('Cannot read what was noted of a volume', { file, reason: errorChain(error) });
      }
    }
    return undefined;
  }

  /** @throws {VolumeError} `PERMISSION_DENIED` */
  async put(note: VolumeNote): Promise<void> {
    await this.#files.makeDirectory(this.#folder, 0o700);
    for (const file of this.#filesOf(note.units))
      await this.#files.replace(file, formatVolumeNote(note), 0o600, `${file}.new`);
  }

  async drop(units: readonly TargetUnit[]): Promise<void> {
    for (const file of this.#filesOf(units)) {
      await this.#files.remove(file);
      await this.#files.remove(`${file}.new`); // which a crash may have left
    }
  }

  /** A target's name is a name of open-iscsi's folders as well: 223 bytes at most, no `/`, not `..`. */
  #filesOf(units: readonly TargetUnit[]): readonly string[] {
    return [...new Set(units.map(({ target, lun }) => `${this.#folder}/${target},${lun}`))];
  }
}
