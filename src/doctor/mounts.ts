/** A mounted file system, as this process sees it. */
export interface Mount {
  readonly point: string;
  /** `devtmpfs`, `ext4`. */
  readonly type: string;
  readonly readOnly: boolean;
}

/** Fields in front of the optional ones: mount, parent and device number, root, mount point, options. */
const FIRST_OPTIONAL = 6;

/**
 * Reads /proc/self/mountinfo (proc_pid_mountinfo(5)), in the order of mounting. A line that is none costs nothing but
 * itself. Each blank is the end of a field: a source may be
 * empty (`mount -t tmpfs "" /mnt`), and the options of some file systems have blanks in them (fs/proc_namespace.c,
 * show_mountinfo).
 */
export function parseMounts(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const [id = '', , device = '', , point, own] = fields;
    const separator = fields.indexOf('-', FIRST_OPTIONAL);
    const [type, , ...whole] = separator === -1 ? [] : fields.slice(separator + 1);
    if (
      !/^\d+$/.test(id) ||
      !/^\d+:\d+$/.test(device) ||
      point === undefined ||
      own === undefined ||
      type === undefined ||
      type === ''
    )
      return [];
    const options = [...own.split(','), ...whole.join(' ').split(',')];
    return [{ point: unescaped(point), type: unescaped(type), readOnly: options.includes('ro') }];
  });
}

/** The file system that a path is on: the longest mount point above it, of equal ones the last. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  const above = mounts.filter(({ point }) => point === '/' || path === point || path.startsWith(`${point}/`));
  const longest = Math.max(...above.map(({ point }) => point.length));
  return above.findLast(({ point }) => point.length === longest);
}

/** Blank, tab, newline, backslash and, since Linux 5.18, `#` are written in octal (fs/proc_namespace.c, mangle). */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCodePoint(Number.parseInt(digits, 8)));
}
