import type { FileSystem } from '../../host/file-system.js';
import type { MapId } from '../block-device.js';
import { parseMapId } from './multipathd.js';

/**
 * Which ids of maps this library entered into /etc/multipath/wwids, as one empty file each in `state_directory`: only
 * those are taken out again.
 */
export class AddedWwids {
  readonly #files: FileSystem;
  readonly #folder: string;

  constructor({ files, stateDirectory }: { readonly files: FileSystem; readonly stateDirectory: string }) {
    this.#files = files;
    this.#folder = `${stateDirectory}/wwids`;
  }

  async has(id: MapId): Promise<boolean> {
    return (await this.#files.kind(this.#file(id))) === 'file';
  }

  async all(): Promise<readonly MapId[]> {
    const names = await this.#files.list(this.#folder);
    return names.flatMap((name) => parseMapId(decoded(name)) ?? []);
  }

  /** @throws {VolumeError} `PERMISSION_DENIED` */
  async put(id: MapId): Promise<void> {
    await this.#files.makeDirectory(this.#folder, 0o700);
    if (await this.has(id)) return;
    try {
      await this.#files.create(this.#file(id), '', 0o600); // empty: whole as soon as it is there
    } catch (error) {
      if (!(await this.has(id))) throw error; // else another process was first
    }
  }

  async drop(id: MapId): Promise<void> {
    await this.#files.remove(this.#file(id));
  }

  /** Its name may hold any character. */
  #file(id: MapId): string {
    return `${this.#folder}/${encodeURIComponent(id)}`;
  }
}

/** Of a name that nobody here has written: the name itself. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
