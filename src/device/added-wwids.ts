import type { FileSystem } from '../host/file-system.js';
import type { Wwid } from './wwid.js';

/** Which WWIDs this library entered into /etc/multipath/wwids, as one empty file each in `state_directory`: only those are taken out again. */
export class AddedWwids {
  readonly #files: FileSystem;
  readonly #folder: string;

  constructor({ files, stateDirectory }: { readonly files: FileSystem; readonly stateDirectory: string }) {
    this.#files = files;
    this.#folder = `${stateDirectory}/wwids`;
  }

  async has(wwid: Wwid): Promise<boolean> {
    return (await this.#files.kind(this.#file(wwid))) === 'file';
  }

  /** @throws {VolumeError} `PERMISSION_DENIED` */
  async put(wwid: Wwid): Promise<void> {
    await this.#files.makeDirectory(this.#folder, 0o700);
    await this.#files.replace(this.#file(wwid), '', 0o600, `${this.#file(wwid)}.new`);
  }

  async drop(wwid: Wwid): Promise<void> {
    await this.#files.remove(this.#file(wwid));
  }

  /** A T10 id may hold any character. */
  #file(wwid: Wwid): string {
    return `${this.#folder}/${encodeURIComponent(wwid)}`;
  }
}
