import { errorChain } from '../../base/error-chain.js';
import type { Logger } from '../../base/logger.js';
import type { FileSystem } from '../../host/file-system.js';
import type { TargetUnit } from '../../device/units-behind.js';
import type { Processes, ProcessIdentity } from '../../host/processes.js';
import { type ArrivalNote, formatArrivalNote, parseArrivalNote } from './arrival-note.js';
import { formatVolumeNote, parseVolumeNote, type VolumeNote } from './volume-note.js';

export interface VolumeNotesParts {
  readonly files: FileSystem;
  readonly processes: Processes;
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
  readonly #processes: Processes;
  readonly #logger: Logger;
  readonly #folder: string;
  readonly #arrivals: string;

  constructor({ files, processes, logger, stateDirectory }: VolumeNotesParts) {
    this.#files = files;
    this.#processes = processes;
    this.#logger = logger;
    this.#folder = `${stateDirectory}/volumes`;
    this.#arrivals = `${stateDirectory}/arriving`;
  }

  /** The process that notes. */
  async self(): Promise<ProcessIdentity> {
    return await this.#processes.self();
  }

  /** The note of the first unit that has one. One that cannot be read is told of and counts as none. */
  async find(units: readonly TargetUnit[]): Promise<VolumeNote | undefined> {
    return await this.#first(this.#filesOf(units), parseVolumeNote);
  }

  /** Every note there is, of each volume once. */
  async all(): Promise<readonly VolumeNote[]> {
    return await this.#all(this.#folder, parseVolumeNote);
  }

  /** What a connect() of these units that did not come to its end was to bring. */
  async findArrival(units: readonly TargetUnit[]): Promise<ArrivalNote | undefined> {
    return await this.#first(this.#filesOf(units, this.#arrivals), parseArrivalNote);
  }

  async allArrivals(): Promise<readonly ArrivalNote[]> {
    return await this.#all(this.#arrivals, parseArrivalNote);
  }

  /** @throws {VolumeError} `PERMISSION_DENIED` */
  async putArrival(arrival: ArrivalNote): Promise<void> {
    await this.#files.makeDirectory(this.#arrivals, 0o700);
    for (const file of this.#filesOf(arrival.units, this.#arrivals))
      await this.#files.replace(file, formatArrivalNote(arrival), 0o600, `${file}.new`);
  }

  async dropArrival(units: readonly TargetUnit[]): Promise<void> {
    await this.#drop(this.#filesOf(units, this.#arrivals));
    for (const file of this.#filesOf(units)) await this.#files.remove(`${file}.new`); // of a kill in put()
  }

  /** Targets of whose volumes somebody began to write a note and did not end, as it goes on or was killed. */
  async unfinishedTargets(): Promise<readonly string[]> {
    const names = [...(await this.#files.list(this.#folder)), ...(await this.#files.list(this.#arrivals))];
    return [...new Set(names.flatMap((name) => /^(.+),\d+\.new$/.exec(name)?.[1] ?? []))];
  }

  /** Removes what a killed process has begun to write. To be called under the target's lock. */
  async dropUnfinished(target: string): Promise<void> {
    for (const folder of [this.#folder, this.#arrivals])
      for (const name of await this.#files.list(folder))
        if (name.startsWith(`${target},`) && name.endsWith('.new')) await this.#files.remove(`${folder}/${name}`);
  }

  /** @throws {VolumeError} `PERMISSION_DENIED` */
  async put(note: VolumeNote): Promise<void> {
    await this.#files.makeDirectory(this.#folder, 0o700);
    for (const file of this.#filesOf(note.units))
      await this.#files.replace(file, formatVolumeNote(note), 0o600, `${file}.new`);
  }

  async drop(units: readonly TargetUnit[]): Promise<void> {
    await this.#drop(this.#filesOf(units));
  }

  async #drop(files: readonly string[]): Promise<void> {
    for (const file of files) {
      await this.#files.remove(file);
      await this.#files.remove(`${file}.new`); // which a crash may have left
    }
  }

  async #first<Note>(files: readonly string[], parse: (text: string) => Note): Promise<Note | undefined> {
    for (const file of files) {
      const note = await this.#read(file, parse);
      if (note !== undefined) return note;
    }
    return undefined;
  }

  /** A volume behind several targets has a file for each. */
  async #all<Note>(folder: string, parse: (text: string) => Note): Promise<readonly Note[]> {
    const names = (await this.#files.list(folder)).filter((name) => !name.endsWith('.new'));
    const notes = await Promise.all(names.map(async (name) => await this.#read(`${folder}/${name}`, parse)));
    const found = notes.filter((note) => note !== undefined);
    return [...new Map(found.map((note) => [JSON.stringify(note), note])).values()];
  }

  async #read<Note>(file: string, parse: (text: string) => Note): Promise<Note | undefined> {
    const text = await this.#files.readText(file);
    if (text === undefined) return undefined;
    try {
      return parse(text);
    } catch (error) {
      this.#logger.warn('Cannot read what was noted of a volume', { file, reason: errorChain(error) });
      return undefined;
    }
  }

  /** A target's name is a name of open-iscsi's folders as well: 223 bytes at most, no `/`, not `..`. */
  #filesOf(units: readonly TargetUnit[], folder = this.#folder): readonly string[] {
    return [...new Set(units.map(({ target, lun }) => `${folder}/${target},${lun}`))];
  }
}
