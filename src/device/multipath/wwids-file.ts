import type { FileSystem } from '../../host/file-system.js';
import { AddedWwids } from './added-wwids.js';
import type { MapId } from '../block-device.js';
import { forgetIdCommand, rememberIdCommand } from './multipath-commands.js';
import type { Multipathd } from './multipathd.js';

export interface WwidsFileParts {
  readonly files: FileSystem;
  readonly stateDirectory: string;
}

const WWIDS = '/etc/multipath/wwids';

/**
 * The ids of which multipathd is to make maps, and which of them this library has entered: only those are taken out
 * again.
 */
export class WwidsFile {
  readonly #files: FileSystem;
  readonly #multipathd: Multipathd;
  readonly #added: AddedWwids;

  constructor(parts: WwidsFileParts, multipathd: Multipathd) {
    this.#files = parts.files;
    this.#multipathd = multipathd;
    this.#added = new AddedWwids(parts);
  }

  /**
   * As the file is now. What follows an id in its line means nothing (multipath-tools, libmultipath/wwids.c,
   * lookup_wwid).
   */
  async read(): Promise<ReadonlySet<MapId>> {
    const text = (await this.#files.readText(WWIDS)) ?? '';
    return new Set([...text.matchAll(/^\/([^/\n]+)\//gm)].map(([, id]) => id as MapId));
  }

  /** Whether this library is why the id is there. */
  async isOurs(id: MapId): Promise<boolean> {
    return await this.#added.has(id);
  }

  /** All that are noted as ours. */
  async allOurs(): Promise<readonly MapId[]> {
    return await this.#added.all();
  }

  /** Notes it as ours before the entry is made, so that one that a crash leaves is known. */
  async enter(id: MapId, signal: AbortSignal): Promise<void> {
    await this.#added.put(id);
    await this.#multipathd.ask(rememberIdCommand(id), signal);
  }

  /**
   * Notes as ours what multipathd has entered itself, for a map that was made for this library
   * (libmultipath/configure.c, domap).
   */
  async adopt(id: MapId): Promise<void> {
    await this.#added.put(id);
  }

  /** Quiet for an id that is not ours. */
  async leave(id: MapId, signal: AbortSignal): Promise<void> {
    if (!(await this.#added.has(id))) return;
    await this.#multipathd.ask(forgetIdCommand(id), signal);
    await this.#added.drop(id);
  }
}
