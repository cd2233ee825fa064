/** How it is known where open-iscsi keeps its database. */
export type LocationProof =
  /** The program itself holds the paths: they were compiled in. */
  | { readonly kind: 'program'; readonly path: string }
  /** iscsiadm told, as it was asked for a record that cannot be there. */
  | { readonly kind: 'answer' }
  /** The option `database_root` says so. */
  | { readonly kind: 'option' };

/** Where this host's open-iscsi keeps its records and takes its lock. */
export interface DatabaseLocation {
  /** The folder of `nodes`, `ifaces` and `send_targets`: `/etc/iscsi`, `/var/lib/iscsi`. */
  readonly root: string;
  /** The folder of its lock: `/run/lock/iscsi`. */
  readonly lockFolder: string;
  readonly proof: LocationProof;
}

/**
 * The roots that open-iscsi has been built with: Debian and Ubuntu up to 2.1.8 have the first, Red Hat and open-iscsi
 * since 2.1.9 the second (meson_options.txt, `dbroot`). Only for a look at what may lie in the wrong one.
 */
export const KNOWN_ROOTS = ['/etc/iscsi', '/var/lib/iscsi'] as const;

/** As every release since 2.1.0 has it (usr/initiator.h; meson_options.txt, `lockdir`). */
export const DEFAULT_LOCK_FOLDER = '/run/lock/iscsi';

/**
 * The folders of a root whose paths the program holds in any case (usr/idbm.h, NODE_CONFIG_DIR and ST_CONFIG_DIR;
 * usr/iface.h, IFACE_CONFIG_DIR).
 */
const FOLDERS = ['nodes', 'ifaces', 'send_targets'] as const;

/**
 * Reads the paths that the program iscsiadm was compiled with, which are texts of their own among its constants.
 * @param program its bytes
 * @returns `undefined` when it does not hold each path once: a wrapper script, or another program
 */
export function locationIn(program: Uint8Array): Omit<DatabaseLocation, 'proof'> | undefined {
  const texts = new TextDecoder('latin1').decode(program).split('\0');
  const pathsTo = (name: string): readonly string[] => {
    const prefixes = texts.flatMap((text) =>
      text.endsWith(`/${name}`) && isFolder(text) ? [plain(text.slice(0, -name.length))] : [],
    );
    return [...new Set(prefixes)];
  };
  const [nodes, ...others] = FOLDERS.map(pathsTo);
  const [root, ...rest] = nodes ?? [];
  if (root === undefined || rest.length > 0 || others.some((paths) => paths.length !== 1 || paths[0] !== root))
    return undefined;
  const [lockFolder, ...moreLocks] = pathsTo('lock.write');
  return { root, lockFolder: lockFolder === undefined || moreLocks.length > 0 ? DEFAULT_LOCK_FOLDER : lockFolder };
}

/**
 * Reads what iscsiadm prints of where it looks for a discovery record (usr/idbm.c, idbm_discovery_read:
 * `Looking for config file ROOT/send_targets/NAME,PORT`).
 * @param record `NAME,PORT`
 */
export function rootIn(answer: string, record: string): string | undefined {
  const marks = ['Looking for config file ', 'Could not open '];
  const found = answer.split('\n').flatMap((line) => {
    const mark = marks.find((one) => line.includes(one));
    const path = mark === undefined ? '' : line.slice(line.indexOf(mark) + mark.length);
    const end = path.indexOf(`/send_targets/${record}`);
    return end > 0 && isFolder(path.slice(0, end)) ? [plain(path.slice(0, end))] : [];
  });
  const [root, ...others] = new Set(found);
  return others.length === 0 ? root : undefined;
}

/** In words, for a finding or a log. */
export function describeProof(proof: LocationProof): string {
  switch (proof.kind) {
    case 'program':
      return `as ${proof.path} was built`;
    case 'answer':
      return 'as iscsiadm itself says';
    case 'option':
      return 'as the option database_root says';
    default:
      return proof satisfies never;
  }
}

/** An absolute path without `..` or control characters. */
function isFolder(path: string): boolean {
  return /^\/(?!.*(?:^|\/)\.\.(?:\/|$))[^\p{Cc}%]*$/u.test(path);
}

function plain(path: string): string {
  return path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
}
