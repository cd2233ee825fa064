/** A mounted file system, as this process sees it. */
export interface Mount {
  readonly point: string;
  /** `devtmpfs`, `ext4`. */
  readonly type: string;
  readonly readOnly: boolean;
}

/** Reads /proc/self/mountinfo (proc_pid_mountinfo(5)), in the order of mounting. */
export function parseMounts(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => {
    const [, point, own, type, whole] = /^\d+ \d+ \d+:\d+ \S+ (\S+) (\S+) (?:\S+ )*?- (\S+) \S+ (\S+)$/.exec(line) ?? [];
    if (point === undefined || own === undefined || type === undefined || whole === undefined) return [];
    const options = [...own.split(','), ...whole.split(',')];
    return [{ point: unescaped(point), type, readOnly: options.includes('ro') }];
  });
}

/** The file system that a path is on: the longest mount point above it, of equal ones the last. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  const above = mounts.filter(({ point }) => point === '/' || path === point || path.startsWith(`${point}/`));
  const longest = Math.max(...above.map(({ point }) => point.length));
  return above.findLast(({ point }) => point.length === longest);
}

/** Blank, tab, newline and backslash are written in octal (fs/proc_namespace.c, mangle). */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCodePoint(Number.parseInt(digits, 8)));
}
