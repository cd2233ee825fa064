import { posix } from 'node:path';
import type { FileKind } from '../../src/host/file-system.js';

type Entry = { readonly kind: 'file'; readonly text: string; readonly mode: number } | { readonly kind: 'link'; readonly to: string } | { readonly kind: 'directory' | 'block-device' };

/** A tree of files in memory, with links, as sysfs has them. Parents of an entry are there as long as the entry is. */
export class FakeTree {
  readonly #entries = new Map<string, Entry>();

  write(path: string, text: string, mode = 0o644): void {
    this.#entries.set(this.resolve(path) ?? this.#under(path), { kind: 'file', text, mode });
  }

  directory(path: string): void {
    if (this.kind(path) === undefined) this.#entries.set(this.#under(path), { kind: 'directory' });
  }

  blockDevice(path: string): void {
    this.#entries.set(path, { kind: 'block-device' });
  }

  symbolicLink(path: string, to: string): void {
    this.#entries.set(path, { kind: 'link', to });
  }

  /** Removes the entry and all below it. */
  remove(path: string): void {
    for (const entry of [...this.#entries.keys()]) if (entry === path || entry.startsWith(`${path}/`)) this.#entries.delete(entry);
  }

  read(path: string): string | undefined {
    const entry = this.#entries.get(this.resolve(path) ?? '');
    return entry?.kind === 'file' ? entry.text : undefined;
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
    const names = [...this.#entries.keys()].filter((entry) => entry.startsWith(`${real}/`)).map((entry) => entry.slice(real.length + 1).split('/')[0] ?? '');
    return [...new Set(names)].toSorted();
  }

  /** The path with all links followed, or `undefined` when nothing is there. */
  resolve(path: string): string | undefined {
    const real = this.#under(path);
    const there = this.#entries.has(real) || [...this.#entries.keys()].some((entry) => entry.startsWith(`${real}/`));
    return there ? real : undefined;
  }

  /** Every entry, links as links, parents before what is in them. */
  entries(): readonly (readonly [string, Entry])[] {
    return [...this.#entries].toSorted(([one], [other]) => (one < other ? -1 : 1));
  }

  /** Every path that is there, for a look at what is left. */
  paths(): readonly string[] {
    return [...this.#entries.keys()].toSorted();
  }

  #under(path: string): string {
    let real = '';
    for (const part of posix.normalize(path).split('/').filter((name) => name !== '')) {
      real = `${real}/${part}`;
      const entry = this.#entries.get(real);
      if (entry?.kind === 'link') real = this.#under(entry.to);
    }
    return real;
  }
}
