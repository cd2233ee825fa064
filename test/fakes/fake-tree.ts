import { posix } from 'node:path';
import type { FileKind } from '../../src/host/file-system.js';

type Entry =
  | { readonly kind: 'file'; readonly text: string; readonly mode: number }
  | { readonly kind: 'link'; readonly to: string }
  | { readonly kind: 'directory' | 'block-device' };

/** A tree of files in memory, with links, as sysfs has them. Parents of an entry are there as long as the entry is. */
export class FakeTree {
  readonly #entries = new Map<string, Entry>();
  /** What each folder has: how many entries are at or below each name. */
  readonly #folders = new Map<string, Map<string, number>>();

  write(path: string, text: string, mode = 0o644): void {
    this.#set(this.resolve(path) ?? this.#under(path), { kind: 'file', text, mode });
  }

  directory(path: string): void {
    if (this.kind(path) === undefined) this.#set(this.#under(path), { kind: 'directory' });
  }

  blockDevice(path: string): void {
    this.#set(path, { kind: 'block-device' });
  }

  symbolicLink(path: string, to: string): void {
    this.#set(path, { kind: 'link', to });
  }

  /** Removes the entry and all below it. */
  remove(path: string): void {
    for (const name of [...(this.#folders.get(path)?.keys() ?? [])]) this.remove(`${path}/${name}`);
    if (this.#entries.delete(path)) this.#count(path, -1);
  }

  read(path: string): string | undefined {
    const entry = this.#entries.get(this.resolve(path) ?? '');
    return entry?.kind === 'file' ? entry.text : undefined;
  }

  mode(path: string): number | undefined {
    const entry = this.#entries.get(this.resolve(path) ?? '');
    return entry?.kind === 'file' ? entry.mode : undefined;
  }

  kind(path: string): FileKind | undefined {
    const real = this.resolve(path);
    if (real === undefined) return undefined;
    const entry = this.#entries.get(real);
    return entry === undefined || entry.kind === 'link' ? 'directory' : entry.kind;
  }

  list(path: string): readonly string[] {
    const real = this.resolve(path);
    if (real === undefined) return [];
    return [...(this.#folders.get(real)?.keys() ?? [])].toSorted();
  }

  /** The path with all links followed, or `undefined` when nothing is there. */
  resolve(path: string): string | undefined {
    const real = this.#under(path);
    return this.#entries.has(real) || this.#folders.has(real) ? real : undefined;
  }

  /** Every entry, links as links, parents before what is in them. */
  entries(): readonly (readonly [string, Entry])[] {
    return [...this.#entries].toSorted(([one], [other]) => (one < other ? -1 : 1));
  }

  /** Every path that is there, for a look at what is left. */
  paths(): readonly string[] {
    return [...this.#entries.keys()].toSorted();
  }

  #set(path: string, entry: Entry): void {
    if (!this.#entries.has(path)) this.#count(path, 1);
    this.#entries.set(path, entry);
  }

  /** Tells every folder above that there is one more, or less. */
  #count(path: string, change: 1 | -1): void {
    for (let child = path; child !== ''; child = child.slice(0, child.lastIndexOf('/'))) {
      const at = child.lastIndexOf('/');
      const [folder, name] = [child.slice(0, at), child.slice(at + 1)];
      const names = this.#folders.get(folder) ?? new Map<string, number>();
      const count = (names.get(name) ?? 0) + change;
      if (count === 0) names.delete(name);
      else names.set(name, count);
      if (names.size === 0) this.#folders.delete(folder);
      else this.#folders.set(folder, names);
    }
  }

  #under(path: string): string {
    let real = '';
    for (const part of posix
      .normalize(path)
      .split('/')
      .filter((name) => name !== '')) {
      real = `${real}/${part}`;
      const entry = this.#entries.get(real);
      if (entry?.kind === 'link') real = this.#under(entry.to);
    }
    return real;
  }
}
