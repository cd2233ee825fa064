import { throwIfAborted } from '../base/aborted.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { VolumeOptions } from '../config/options.js';
import { DEFAULT_LOCK_FOLDER } from '../database/database-location.js';
import { writeLockIn } from '../database/database-lock.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import { readRecord, readRecordText } from '../database/record-text.js';
import type { Hardware } from '../hardware/hardware.js';
import { readHardware } from '../hardware/read-hardware.js';
import { readReversePath } from '../hardware/read-rp-filter.js';
import type { Clock } from '../host/clock.js';
import type { CommandRunner } from '../host/command.js';
import type { FileSystem } from '../host/file-system.js';
import type { NetAddresses } from '../host/net-addresses.js';
import { isListenedOn } from '../host/unix-sockets.js';
import { pollUntil } from '../host/poll-until.js';
import { type IfaceInventory, readIfaces } from '../iface/read-ifaces.js';
import { resolveIface } from '../iface/resolve-iface.js';
import type { IfaceSelector } from '../iface/select-iface.js';
import { INITIATOR_NAME_FILE } from '../initiator/initiator-name-in.js';
import { versionCommand } from '../initiator/iscsiadm-commands.js';
import { parseToolVersion } from '../initiator/iscsiadm-exit.js';
import { ISCSID_CONFIGURATION } from '../initiator/records/iscsid-defaults.js';
import { readAllSessions } from '../initiator/read-sessions.js';
import type { DomainRef, Libvirt } from '../libvirt/libvirt.js';
import { readDatabaseRecords } from './database-records.js';
import { type HostProcess, readProcesses } from './host-process.js';
import type {
  ChosenIface,
  DatabaseLockState,
  DirectoryState,
  FailedTransport,
  HostState,
  IfaceState,
  LibvirtState,
  MultipathState,
  OpenIscsiState,
} from './host-state.js';
import { parseMounts } from './mounts.js';
import { readDatabase } from './read-database.js';
import { see } from './seen.js';

/** The ports that the doctor looks through. */
export interface DoctorParts {
  readonly files: FileSystem;
  readonly database: OpenIscsiDatabase;
  readonly commands: CommandRunner;
  readonly clock: Clock;
  readonly netAddresses: NetAddresses;
  readonly libvirt: Libvirt;
  readonly options: VolumeOptions;
  /** What drivers keep of transports that failed at a login. */
  readonly failedTransports: () => Promise<readonly FailedTransport[]>;
}

/**
 * Who does not answer within this has a finding of his own. On a host that is well each answers within milliseconds.
 */
const ANSWER_MS = 10_000;
/** open-iscsi holds its lock for milliseconds: one that is never free for this long has no working owner. */
const LOCK_LOOK_MS = 400;
/** open-iscsi, usr/mgmt_ipc.h, ISCSIADM_NAMESPACE. */
const ISCSID_SOCKET = '@ISCSIADM_ABSTRACT_NAMESPACE';
/**
 * libvirt refuses a guest whose UUID has the same digits throughout (src/util/viruuid.c, virUUIDIsValid): to ask for it
 * asks only whether somebody answers.
 */
const NOBODY: DomainRef = { kind: 'uuid', uuid: '00000000-0000-0000-0000-000000000000' };

/**
 * Looks at the whole host at once, and changes nothing of it.
 * @throws {VolumeError} `ABORTED` when the caller's signal aborts
 */
export async function readHostState(parts: DoctorParts, configOrigin: string, signal: AbortSignal): Promise<HostState> {
  throwIfAborted(signal);
  const { files, options } = parts;
  const asked = readOpenIscsi(parts, signal);
  const [
    user,
    mounts,
    directories,
    openIscsi,
    initiatorName,
    oddDefaults,
    database,
    databaseLock,
    records,
    sessions,
    ifaces,
    reversePath,
    failedTransports,
    multipath,
    libvirt,
  ] = await Promise.all([
    see(() => readUser(parts, signal)),
    see(async () => parseMounts((await files.readText('/proc/self/mountinfo')) ?? '')),
    see(() => readDirectories(files, options)),
    asked,
    see(async () => ({ text: await readRecordText(files, INITIATOR_NAME_FILE) })),
    see(async () => readRecord((await readRecordText(files, ISCSID_CONFIGURATION)) ?? '').oddLines),
    see(() => readDatabase(parts, signal)),
    see(() => readDatabaseLock(parts, asked, signal)),
    see(async () => await readDatabaseRecords(files, await parts.database.root())),
    see(() => readAllSessions(files)),
    see(() => readIfaceState(parts)),
    see(async () => await readReversePath(files, await files.list('/proc/sys/net/ipv4/conf'))),
    see(async () => await parts.failedTransports()),
    see(() => readMultipath(parts, signal)),
    readLibvirt(parts, signal),
  ]);
  throwIfAborted(signal);
  return {
    options,
    configOrigin,
    user,
    mounts,
    directories,
    openIscsi,
    initiatorName,
    oddDefaults,
    database,
    databaseLock,
    records,
    sessions,
    ifaces,
    reversePath,
    failedTransports,
    multipath,
    libvirt,
  };
}

async function readUser(
  { commands }: DoctorParts,
  signal: AbortSignal,
): Promise<{ readonly exitCode: number; readonly uid: string; readonly stderr: string }> {
  const { exitCode, stdout, stderr } = await commands.run(
    { program: 'id', args: ['-u'], patience: { kind: 'kill', ms: ANSWER_MS } },
    signal,
  );
  return { exitCode, uid: stdout.trim(), stderr: stderr.trim() };
}

async function readDirectories(
  files: FileSystem,
  { stateDirectory, lockDirectory }: VolumeOptions,
): Promise<readonly DirectoryState[]> {
  return await Promise.all(
    [
      { option: 'state_directory' as const, path: stateDirectory },
      { option: 'lock_directory' as const, path: lockDirectory },
    ].map(async ({ option, path }) => ({ option, path, nearest: await nearestThere(files, path) })),
  );
}

async function nearestThere(files: FileSystem, path: string): Promise<DirectoryState['nearest']> {
  const kind = path === '' ? 'directory' : await files.kind(path);
  return kind === undefined
    ? await nearestThere(files, path.slice(0, path.lastIndexOf('/')))
    : { path: path === '' ? '/' : path, kind };
}

async function readOpenIscsi({ files, commands }: DoctorParts, signal: AbortSignal): Promise<OpenIscsiState> {
  const [listens, daemons, iscsiadmVersion, iscsidVersion, osRelease] = await Promise.all([
    see(async () => isListenedOn((await files.readText('/proc/net/unix')) ?? '', ISCSID_SOCKET)),
    see(
      async () =>
        await Promise.all(
          (await readProcesses(files, ['iscsid'])).map(async (process) => ({
            ...process,
            replaced: await isReplaced(files, process),
          })),
        ),
    ),
    see(async () => parseToolVersion((await commands.run(versionCommand(ANSWER_MS), signal)).stdout)),
    see(async () =>
      parseToolVersion(
        (
          await commands.run(
            { program: 'iscsid', args: ['--version'], patience: { kind: 'kill', ms: ANSWER_MS } },
            signal,
          )
        ).stdout,
      ),
    ),
    see(() => files.readText('/etc/os-release')),
  ]);
  return {
    listens,
    daemons,
    iscsiadmVersion,
    iscsidVersion,
    osRelease: (osRelease.kind === 'seen' ? osRelease.value : undefined) ?? '',
  };
}

/** The link of a file that is gone reads `/usr/sbin/iscsid (deleted)` (fs/d_path.c), and leads nowhere. */
async function isReplaced(files: FileSystem, { pid }: HostProcess): Promise<boolean> {
  return (await files.kind(`/proc/${pid}`)) !== undefined && (await files.realPath(`/proc/${pid}/exe`)) === undefined;
}

/** @param asked settles when the doctor's own iscsiadm has ended: it would pass for one that waits */
async function readDatabaseLock(
  { files, clock, database }: DoctorParts,
  asked: Promise<unknown>,
  signal: AbortSignal,
): Promise<DatabaseLockState> {
  const location = await see(() => database.location());
  const path = writeLockIn(location.kind === 'seen' ? location.value.lockFolder : DEFAULT_LOCK_FOLDER);
  const isThere = async (): Promise<boolean> => (await files.kind(path)) !== undefined;
  if (!(await isThere())) return { kind: 'free' };
  const free = await pollUntil(async () => ((await isThere()) ? undefined : true), {
    clock,
    timeoutMs: LOCK_LOOK_MS,
    signal,
  });
  if (free === true) return { kind: 'free' };
  await asked;
  const owner = location.kind === 'seen' ? await database.lockOwner() : undefined;
  return {
    kind: 'held',
    path,
    owner,
    forMs: LOCK_LOOK_MS,
    processes: await readProcesses(files, ['iscsiadm', 'iscsid']),
  };
}

async function readIfaceState({ files, database, netAddresses, options }: DoctorParts): Promise<IfaceState> {
  const [root, inventory, hardware] = await Promise.all([
    database.root(),
    readIfaces(files, database),
    readHardware(files, netAddresses.list()),
  ]);
  const chosen = await Promise.all(options.iscsiIface.map((selector) => choose(selector, inventory, hardware)));
  return { root, inventory, hardware, chosen };
}

async function choose(selector: IfaceSelector, inventory: IfaceInventory, hardware: Hardware): Promise<ChosenIface> {
  const broken = selector.kind === 'name' ? inventory.broken.find(({ name }) => name === selector.name) : undefined;
  if (broken !== undefined) return { kind: 'damaged', broken };
  try {
    return { kind: 'found', resolved: await resolveIface(selector, inventory, async () => hardware) };
  } catch (error) {
    if (isVolumeError(error)) return { kind: 'not-found', error };
    throw error;
  }
}

async function readMultipath({ files, commands }: DoctorParts, signal: AbortSignal): Promise<MultipathState> {
  if ((await readProcesses(files, ['multipathd'])).length === 0) return { daemonRuns: false, config: undefined };
  const { exitCode, stdout } = await commands.run(
    { program: 'multipathd', args: ['show', 'config', 'local'], patience: { kind: 'kill', ms: ANSWER_MS } },
    signal,
  );
  return { daemonRuns: true, config: exitCode === 0 ? stdout : undefined };
}

async function readLibvirt({ libvirt, files }: DoctorParts, signal: AbortSignal): Promise<LibvirtState> {
  const [answer, units] = await Promise.all([
    see(async () => {
      await askLibvirt(libvirt, AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]));
      return undefined;
    }),
    Promise.all(
      ['libvirtd.socket', 'virtqemud.socket'].map(async (unit) =>
        (await isInstalled(files, unit)) ? unit : undefined,
      ),
    ),
  ]);
  return { answer, unit: units.find((unit) => unit !== undefined) };
}

async function askLibvirt(libvirt: Libvirt, signal: AbortSignal): Promise<void> {
  try {
    await libvirt.lookupDomain(NOBODY, signal);
  } catch (error) {
    if (isVolumeError(error, 'DOMAIN_NOT_FOUND')) return;
    if (isVolumeError(error, 'ABORTED'))
      throw new VolumeError('LIBVIRT_UNAVAILABLE', `no answer within ${ANSWER_MS / 1000} s`);
    throw error;
  }
}

async function isInstalled(files: FileSystem, unit: string): Promise<boolean> {
  const kinds = await Promise.all(
    ['/usr/lib', '/lib', '/etc'].map((folder) => files.kind(`${folder}/systemd/system/${unit}`)),
  );
  return kinds.some((kind) => kind !== undefined);
}
