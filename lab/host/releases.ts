/** A Debian release that the lab machine can be. */
export interface Release {
  /** Its number, such as `13`. */
  readonly name: string;
  /** Its name in the archive, such as `trixie`. */
  readonly suite: string;
  /** What it has on top of what all of them have. */
  readonly packages: readonly string[];
}

export type Releases = readonly [Release, ...Release[]];

export const RELEASES_FILE = 'lab/image/releases.txt';

/**
 * Reads the table of releases: one a line, the first is the one that is taken where none is named.
 * @throws {SyntaxError} quoting the line that is no release
 */
export function parseReleases(text: string): Releases {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const [first, ...others] = lines.map((line): Release => {
    const [, name, suite, packages = ''] = /^(\d+) +([a-z]+)((?: +[a-z0-9][a-z0-9.+-]+)*) *$/.exec(line) ?? [];
    if (name === undefined || suite === undefined) {
      throw new SyntaxError(`Cannot read "${line}" as a release: expected its number, its suite and packages`);
    }
    return { name, suite, packages: packages.split(' ').filter((word) => word !== '') };
  });
  if (first === undefined) throw new SyntaxError('Cannot find a release in the table of releases');
  return [first, ...others];
}

/**
 * The releases that `13,12` names, in that order; the first of the table when nothing is named.
 * @throws {RangeError} naming those there are
 */
export function chooseReleases(wish: string | undefined, known: Releases): Releases {
  const [first, ...others] = [...new Set(wish === undefined ? [known[0].name] : wish.split(','))].map((name) => {
    const release = known.find((candidate) => candidate.name === name);
    if (release === undefined) {
      const names = known.map((each) => each.name).join(', ');
      throw new RangeError(`There is no release "${name}" of the lab machine. Those there are: ${names}`);
    }
    return release;
  });
  return first === undefined ? [known[0]] : [first, ...others];
}
