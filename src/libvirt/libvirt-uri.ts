/** A URI that names a daemon on this host, reached over its UNIX socket. */
export interface LocalUri {
  /** The URI without its transport and query, as the daemon wants to hear it. */
  readonly name: string;
  readonly driver: string;
  /** The user's own daemon, or the host's. */
  readonly scope: 'system' | 'session';
  /** The socket that the URI asks for with `?socket=`. */
  readonly socket: string | undefined;
}

/** What of the process's environment decides where a user's daemon listens. */
export interface RuntimeEnvironment {
  readonly runtimeDirectory: string | undefined;
  readonly cacheDirectory: string | undefined;
  readonly home: string | undefined;
}

/**
 * Daemons of the modular kind, by driver (libvirt, docs/daemons.rst). They reach virtsecretd themselves
 * (src/remote/remote_daemon_dispatch.c).
 */
const MODULAR_DAEMON: Readonly<Record<string, string>> = {
  qemu: 'virtqemud',
  xen: 'virtxend',
  lxc: 'virtlxcd',
  ch: 'virtchd',
  bhyve: 'virtbhyved',
};

const LOCAL = /^([a-z]+)(?:\+unix)?:\/\/(\/[a-z]*)(?:\?(.*))?$/;

/**
 * @returns which adapter reaches that URI: libvirt's RPC protocol over a socket of this host, or virsh for everything
 * else
 */
export function adapterFor(uri: string): 'rpc' | 'virsh' {
  return parseLocalUri(uri) === undefined ? 'virsh' : 'rpc';
}

/** @returns `undefined` for a URI with a host, another transport, or an option that only libvirt's own client knows */
export function parseLocalUri(uri: string): LocalUri | undefined {
  const [, driver, path, query = ''] = LOCAL.exec(uri) ?? [];
  if (driver === undefined || path === undefined || !isServed(driver, path)) return undefined;
  const options = new URLSearchParams(query);
  const socket = options.get('socket') ?? undefined;
  if ([...options.keys()].some((key) => key !== 'socket') || socket === '') return undefined;
  return { name: `${driver}://${path}`, driver, scope: path === '/session' ? 'session' : 'system', socket };
}

/** Where the daemon may listen, likeliest first: the one daemon, then the modular one. */
export function socketPaths({ driver, scope, socket }: LocalUri, environment: RuntimeEnvironment): readonly string[] {
  if (socket !== undefined) return [socket];
  const directory = scope === 'system' ? '/run/libvirt' : `${userRuntimeDirectory(environment)}/libvirt`;
  const modular = MODULAR_DAEMON[driver];
  return [`${directory}/libvirt-sock`, ...(modular === undefined ? [] : [`${directory}/${modular}-sock`])];
}

function isServed(driver: string, path: string): boolean {
  if (driver === 'test') return path === '/default';
  return MODULAR_DAEMON[driver] !== undefined && (path === '/system' || path === '/session');
}

/** As GLib's g_get_user_runtime_dir(), which libvirt asks (src/util/virutil.c, virGetUserRuntimeDirectory). */
function userRuntimeDirectory({ runtimeDirectory, cacheDirectory, home }: RuntimeEnvironment): string {
  return runtimeDirectory ?? cacheDirectory ?? `${home ?? ''}/.cache`;
}
