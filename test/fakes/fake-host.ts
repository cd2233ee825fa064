import { throwIfAborted } from '../../src/base/aborted.js';
import { endpointAddress } from '../../src/base/ip-address.js';
import { encodeText } from '../../src/base/byte-text.js';
import { VolumeError } from '../../src/base/volume-error.js';
import { formatPortal, type Portal, samePortal } from '../../src/connection/portal.js';
import type { Clock } from '../../src/host/clock.js';
import { type Command, type CommandResult, type CommandRunner, printable } from '../../src/host/command.js';
import type { DeviceUser, DeviceUsers } from '../../src/host/device-users.js';
import type { FileKind, FileSystem } from '../../src/host/file-system.js';
import { formatRecord, parseRecord } from '../../src/database/record-text.js';
import { listFakeIfaces } from './fake-iface-mode.js';
import { nameOfFakeIscsid } from './fake-iscsid.js';
import { FakeKernel, type FakeSession } from './fake-kernel.js';
import { absentRecordText, type FakeRelease, programText, THIS_RELEASE } from './fake-release.js';
import { FakeProcessTable } from './fake-processes.js';
import type { FakeTarget } from './fake-target.js';
import { FakeToolLock } from './fake-tool-lock.js';
import { FakeTree } from './fake-tree.js';
import { addressesMatch, firstAddress, splitPortal } from './open-iscsi-addresses.js';

const ISCSIADM = '/usr/sbin/iscsiadm';

/**
 * One host in memory: it is the command runner (an iscsiadm that makes and ends sessions), the file system (sysfs and
 * open-iscsi's database) and the kernel behind both. The real initiator and device code runs over it.
 */
export class FakeHost implements CommandRunner, FileSystem, DeviceUsers {
  readonly tree = new FakeTree();
  readonly kernel: FakeKernel;
  readonly processes = new FakeProcessTable();
  /** As iscsiadm takes it. */
  readonly toolLock: FakeToolLock;
  readonly targets: FakeTarget[] = [];
  /** Every command that was run. */
  readonly commands: Command[] = [];
  /** False: iscsiadm finds no daemon. */
  iscsidRuns = true;
  /** What every portal asks of a discovery. */
  discoveryChap: { readonly username: string; readonly password: string } | undefined;
  /** Transports whose module is not there: a login over them ends with exit status 12. */
  readonly missingTransports = new Set<string>();
  /**
   * Transports over which a refusal is lost, as the target ends the connection behind it, and the status that iscsiadm
   * has for it.
   */
  readonly losingTransports = new Map<string, 8 | 11>();
  /**
   * What the next logins meet: the record of another target that goes as iscsiadm reads them all, before or after it
   * has found the one that is meant.
   */
  readonly vanishingRecords: ('before' | 'after')[] = [];
  /** Portals that answer a login only once the promise is fulfilled, by their address. */
  readonly slowPortals = new Map<string, Promise<void>>();
  /** What the host's resolver knows: open-iscsi asks it for every two addresses that are not the same text. */
  readonly names = new Map<string, readonly string[]>();
  /** Where a target sends a login on to (RFC 7143, 11.13.5), by the address that was asked. */
  readonly redirects = new Map<string, { readonly address: string; readonly port: number }>();
  /** How `iscsiadm -m iface` names the records that it makes: `transport.mac`, with this behind it. */
  ifaceNaming: '' | '.ipv4.0' = '';
  readonly #users = new Map<string, readonly DeviceUser[]>();
  readonly clock: Clock;
  /** An upgrade puts another in its place. */
  release: FakeRelease;

  constructor({ clock, release = THIS_RELEASE }: { readonly clock: Clock; readonly release?: FakeRelease }) {
    this.clock = clock;
    this.release = release;
    this.toolLock = new FakeToolLock({ tree: this.tree, clock, release: () => this.release });
    this.kernel = new FakeKernel({ tree: this.tree, targets: this.targets });
    for (const folder of [
      '/run/lock',
      ...(release.hasFolders ? [`${release.root}/nodes`, `${release.root}/ifaces`] : []),
    ])
      this.tree.directory(folder);
    this.tree.write(ISCSIADM, programText(release), 0o755);
    for (const transport of ['tcp', 'iser']) this.tree.directory(`/sys/class/iscsi_transport/${transport}`);
    this.tree.write('/sys/class/infiniband/mlx5_0/ports/1/state', '4: ACTIVE\n');
    this.tree.write('/proc/sys/kernel/random/boot_id', '8f2b6f0e-1d1c-4a39-9a55-1c1f0d7f2f10\n');
    this.tree.write('/etc/iscsi/iscsid.conf', 'node.startup = manual\nnode.session.timeo.replacement_timeout = 120\n');
  }

  /** A process that keeps the device open until the result is called. */
  open(devicePath: string, user: DeviceUser): () => void {
    this.#users.set(devicePath, [user]);
    return () => this.#users.delete(devicePath);
  }

  /** What a volume could leave behind, one line each. */
  residue(): readonly string[] {
    const wwids = (this.tree.read('/etc/multipath/wwids') ?? '')
      .split('\n')
      .filter((line) => line.startsWith('/'))
      .map((line) => `wwid ${line}`);
    const kept = [
      /^\/sys\/class\/iscsi_session\/|^\/dev\/(?:sd|dm-)/,
      /^(?:\/etc|\/var\/lib)\/iscsi\/(?:nodes|ifaces|send_targets)\/./,
      /lock\.write$|\/\.?libvirt-volume\./,
    ];
    const isState = (path: string): boolean =>
      path.startsWith('/var/lib/libvirt-volume/') &&
      !path.endsWith('/failed-transports.json') &&
      this.tree.kind(path) === 'file';
    return [
      ...this.tree
        .paths()
        .filter((path) => (kept.some((one) => one.test(path)) && this.tree.kind(path) !== undefined) || isState(path)),
      ...wwids,
    ];
  }

  async run(command: Command, signal: AbortSignal): Promise<CommandResult> {
    throwIfAborted(signal);
    this.commands.push(command);
    if (command.program === 'multipathd' && this.kernel.multipathd.hangs) {
      if (this.kernel.multipathd.askedBy === 'program') {
        await this.clock.sleep(4_000, signal);
        return { exitCode: 1, stdout: 'timeout receiving packet\n', stderr: '' };
      }
      await this.clock.sleep(command.patience.ms, signal);
      throw new VolumeError('COMMAND_TIMED_OUT', `Cannot wait any longer for "${printable(command)}"`);
    }
    if (command.program.startsWith('multipath') || command.program === 'dmsetup')
      return this.kernel.multipathd.run(command.program, command.args.map(String));
    if (command.program !== 'iscsiadm') throw new VolumeError('COMMAND_NOT_FOUND', `Cannot run ${command.program}`);
    const args = command.args.map((argument) => (typeof argument === 'string' ? argument : argument.reveal()));
    if (args.join(' ') === '-m iface') return listFakeIfaces(this.tree, this.root, this.ifaceNaming);
    const after = (flag: string): string | undefined =>
      args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined;
    const [target, portal, iface] = [after('-T'), after('-p'), after('-I')];
    if (args.includes('--discover') && args.includes('nonpersistent') && portal !== undefined && iface !== undefined)
      return await this.#discover(portal, iface);
    // what is done over an iface begins with its record (usr/idbm.c, idbm_populate_rec)
    const bySession = /^-m session -r (\d+)/.exec(args.join(' '))?.[1];
    const over = iface ?? this.kernel.sessions.find(({ id }) => String(id) === bySession)?.iface;
    const reads = args[1] === 'node' || args[1] === 'session';
    if (
      reads &&
      over !== undefined &&
      !['default', 'iser'].includes(over) &&
      this.tree.kind(`${this.root}/ifaces/${over}`) === undefined
    )
      return exit(3, `iscsiadm: Could not read iface info for ${over}.`);
    const session = /^-m session -r (\d+) --logout$/.exec(args.join(' '))?.[1];
    if (session !== undefined) return this.#logoutAll(this.kernel.sessions.filter(({ id }) => String(id) === session));
    if (args.includes('discoverydb') && after('-o') === 'show')
      return { exitCode: 6, stdout: '', stderr: absentRecordText(this.release) };
    if (target === undefined || (iface === undefined && !args.includes('--logout')))
      throw new Error(`iscsiadm without target or iface: ${printable(command)}`);
    const place: Pattern = { target, iface, portal: portal === undefined ? undefined : splitPortal(portal) };
    if (args.includes('--login')) return await this.#loginAll(this.#records(place));
    if (args.includes('--logout'))
      return this.#logoutAll(this.kernel.sessions.filter((one) => this.#matches(place, one)));
    const [key, value] = [after('-n'), after('-v')];
    if (after('-o') === 'update' && key !== undefined && value !== undefined && portal !== undefined)
      return this.#update(place, key, value);
    throw new Error(`An iscsiadm command that this host does not know: ${printable(command)}`);
  }

  async locate(program: string): Promise<string | undefined> {
    if (program === 'iscsiadm' && this.tree.kind(ISCSIADM) !== undefined) return ISCSIADM;
    throw new VolumeError('COMMAND_NOT_FOUND', `Cannot run ${program}: it is not installed, or not in PATH`);
  }

  /** usr/iscsi_util.c, __iscsi_match_session. */
  #matches({ target, portal, iface }: Pattern, other: Place): boolean {
    return (
      other.target === target &&
      (iface === undefined || other.iface === iface) &&
      (portal === undefined ||
        (portal.port === other.portal.port && addressesMatch(portal.address, other.portal.address, this.names)))
    );
  }

  /** Where its open-iscsi keeps its records. */
  get root(): string {
    return this.release.root;
  }

  /** All at once; the exit status is that of the first that fails, as iscsiadm has it. */
  async #loginAll(places: readonly FakeRecord[]): Promise<CommandResult> {
    if (!(await this.toolLock.readRecords(this.#recordCount())))
      return exit(6, 'iscsiadm: Could not execute operation on all records: encountered iSCSI database failure');
    if (places.length === 0) return exit(21, 'iscsiadm: No records found');
    const vanishing = this.vanishingRecords.shift();
    const failed = exit(6, 'iscsiadm: Could not execute operation on all records: encountered iSCSI database failure');
    if (vanishing === 'before') return failed;
    const results = await Promise.all(places.map(async (place) => await this.#login(place)));
    const stderr = results.map((result) => result.stderr).join('');
    if (vanishing === 'after') return { ...failed, stderr: `${failed.stderr}${stderr}` };
    return { exitCode: results.find(({ exitCode }) => exitCode !== 0)?.exitCode ?? 0, stdout: '', stderr };
  }

  #logoutAll(sessions: readonly FakeSession[]): CommandResult {
    for (const session of sessions) this.kernel.removeSession(session);
    return sessions.length === 0 ? exit(21, 'iscsiadm: No matching sessions found') : exit(0);
  }

  /** iscsiadm reads them all, whichever is meant (usr/idbm.c, idbm_for_each_rec). */
  #recordCount(): number {
    const below = (folder: string): readonly string[] => this.tree.list(folder).map((name) => `${folder}/${name}`);
    return below(`${this.root}/nodes`)
      .flatMap(below)
      .flatMap((portal) => (this.tree.kind(portal) === 'file' ? [portal] : below(portal))).length;
  }

  async #login({ target: iqn, portal: asked, iface, values: record }: FakeRecord): Promise<CommandResult> {
    if (!this.iscsidRuns) return exit(20, 'iscsiadm: can not connect to iSCSI daemon (111)!');
    const transport = record.get('iface.transport_name') ?? 'tcp';
    if (this.missingTransports.has(transport)) return exit(12, `iscsiadm: Could not insert module ${transport}`);
    const isThere = (): boolean =>
      this.kernel.sessions.some((session) => this.#matches({ target: iqn, portal: asked, iface }, session));
    if (isThere()) return exit(15, 'iscsiadm: 1 session requested, but 1 already present.');
    const address = firstAddress(asked.address, this.names);
    const failure = (status: number, words: string): CommandResult =>
      exit(
        status,
        `iscsiadm: Could not login to [iface: ${iface}, target: ${iqn}, portal: ` +
          `${asked.address},${asked.port}].\niscsiadm: initiator reported error (${status} - ${words})`,
      );
    if (address === undefined) return failure(4, 'encountered connection failure');
    const portal = { address: endpointAddress(address), port: asked.port };
    await this.slowPortals.get(portal.address);
    const target = this.targets.find((candidate) => candidate.iqn === iqn);
    const answers = this.targets.some(({ portals }) =>
      portals.some(
        ({ address, port, serves }) => address === portal.address && port === portal.port && serves !== 'nothing',
      ),
    );
    const status =
      target?.loginStatus(
        portal,
        transport,
        record,
        record.get('iface.initiatorname') ?? nameOfFakeIscsid(this.tree),
      ) ?? (answers ? 19 : 8);
    const tries = Number(record.get('node.session.initial_login_retry_max') ?? '4');
    if (status === 8)
      await this.clock.sleep(
        tries * Number(record.get('node.conn[0].timeo.login_timeout') ?? '30') * 1000,
        new AbortController().signal,
      );
    const loss = this.losingTransports.get(transport);
    if (status === 24 && loss !== undefined)
      return await this.#loseLogin(
        { target: iqn, portal: asked, iface },
        transport,
        loss,
        Number(record.get('node.conn[0].timeo.login_timeout') ?? '30') * 1000,
      );
    if (status !== 0) return failure(status, 'it failed');
    // iscsid makes one session for two records of one portal (usr/initiator.c, session_is_running)
    if (isThere()) return failure(15, 'session exists');
    this.kernel.addSession(
      { target: iqn, portal: asked, iface, transport, connectedTo: this.redirects.get(portal.address) ?? portal },
      record.get('node.session.timeo.replacement_timeout'),
    );
    return exit(0);
  }

  /** iscsid ignores it and lets the time pass; meanwhile the kernel shows a session that has failed. */
  async #loseLogin(
    { target, portal, iface }: Place,
    transport: string,
    status: 8 | 11,
    timeoutMs: number,
  ): Promise<CommandResult> {
    const session = this.kernel.addSession({ target, portal, iface, transport });
    this.kernel.setState(session, 'FAILED');
    const end = this.clock.now() + timeoutMs;
    while (this.clock.now() < end) await this.clock.sleep(100, new AbortController().signal);
    this.kernel.removeSession(session);
    return exit(
      status,
      `iscsiadm: Could not login to [iface: ${iface}, target: ${target}, portal: ` +
        `${portal.address},${portal.port}].\niscsiadm: initiator reported error (${status} - it timed out)`,
    );
  }

  /**
   * The portal's name stands for the record that tells the address, as open-iscsi has it (usr/idbm.c,
   * idbm_discovery_read).
   */
  async #discover(portal: string, iface: string): Promise<CommandResult> {
    const record = parseRecord(
      this.tree.read(`${this.root}/send_targets/${portal.replace(/:(\d+)$/, ',$1')}/st_config`) ?? '',
    );
    const place = {
      address: record.get('discovery.sendtargets.address') ?? '',
      port: Number(record.get('discovery.sendtargets.port')),
    };
    if (!this.iscsidRuns) return exit(20, 'iscsiadm: can not connect to iSCSI daemon (111)!');
    const answering = this.targets.filter((target) =>
      target.portals.some((one) => samePortal(one, place) && one.serves === (iface === 'iser' ? 'iser' : 'tcp')),
    );
    if (answering.length === 0) {
      await this.clock.sleep(
        Number(record.get('discovery.sendtargets.timeo.login_timeout') ?? '15') * 1000,
        new AbortController().signal,
      );
      return exit(11, 'iscsiadm: connection login retries (reopen_max) 0 exceeded');
    }
    const chap = this.discoveryChap;
    if (
      chap !== undefined &&
      (record.get('discovery.sendtargets.auth.username') !== chap.username ||
        record.get('discovery.sendtargets.auth.password') !== chap.password)
    )
      return exit(24, 'iscsiadm: Login failed to authenticate with target');
    const lines = answering.flatMap(({ iqn, portals }) => portals.map((one) => `${formatPortal(one)},1 ${iqn}\n`));
    return { exitCode: 0, stdout: lines.join(''), stderr: '' };
  }

  /** Comments do not survive it. */
  #update(place: Pattern, key: string, value: string): CommandResult {
    const records = this.#records(place);
    for (const { path, values } of records) this.tree.write(path, formatRecord(new Map([...values, [key, value]])));
    return records.length === 0 ? exit(21, 'iscsiadm: No records found') : exit(0);
  }

  /**
   * Every record of the database is read, and goes by what is in it (usr/idbm.c, idbm_for_each_rec; usr/iscsiadm.c,
   * rec_match_fn).
   */
  #records(pattern: Pattern): readonly FakeRecord[] {
    const folder = `${this.root}/nodes/${pattern.target}`;
    const files = this.tree
      .list(folder)
      .filter((name) => name.includes(','))
      .flatMap((name) =>
        this.tree.kind(`${folder}/${name}`) === 'file'
          ? [name]
          : this.tree.list(`${folder}/${name}`).map((file) => `${name}/${file}`),
      );
    const records = files.map((file): FakeRecord => {
      const values = parseRecord(this.tree.read(`${folder}/${file}`) ?? '');
      const portal = {
        address: values.get('node.conn[0].address') ?? '',
        port: Number(values.get('node.conn[0].port') ?? '3260'),
      };
      return {
        path: `${folder}/${file}`,
        values,
        target: values.get('node.name') ?? '',
        portal,
        iface: values.get('iface.iscsi_ifacename') ?? 'default',
      };
    });
    return records.filter((record) => this.#matches(pattern, record));
  }

  async readText(path: string): Promise<string | undefined> {
    return this.tree.read(path)?.replace(/\n$/, '');
  }

  async readBytes(path: string): Promise<Uint8Array | undefined> {
    const text = this.tree.read(path);
    return text === undefined ? undefined : encodeText(text);
  }

  async list(directory: string): Promise<readonly string[]> {
    return this.tree.list(directory);
  }

  async realPath(path: string): Promise<string | undefined> {
    return this.tree.resolve(path);
  }

  async kind(path: string): Promise<FileKind | undefined> {
    return this.tree.kind(path);
  }

  async makeDirectory(path: string, _mode: number): Promise<void> {
    this.tree.directory(path);
  }

  async replace(path: string, text: string, mode: number, _temporary: string): Promise<void> {
    this.tree.write(path, text, mode);
  }

  async create(path: string, text: string, mode: number): Promise<void> {
    if (this.tree.kind(path) !== undefined) throw new Error(`EEXIST: ${path}`);
    this.tree.write(path, text, mode);
  }

  async rename(path: string, to: string): Promise<boolean> {
    const text = this.tree.read(path);
    if (text === undefined) return false;
    this.tree.write(to, text, this.tree.mode(path));
    this.tree.remove(path);
    return true;
  }

  async link(existing: string, path: string): Promise<boolean> {
    if (this.tree.kind(path) !== undefined) return false;
    this.tree.write(path, this.tree.read(existing) ?? '');
    return true;
  }

  async remove(path: string): Promise<void> {
    this.tree.remove(path);
  }

  async removeDirectory(path: string): Promise<boolean> {
    if (this.tree.list(path).length > 0) return false;
    this.tree.remove(path);
    return true;
  }

  async writeAttribute(path: string, text: string, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    await this.kernel.whenLetOn(path, signal, () => {
      this.kernel.write(path, text);
    });
  }

  async syncDevice(path: string, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    await this.kernel.whenLetOn(path, signal, () => {
      this.kernel.sync(path);
    });
  }

  hasStuckWrite(path: string): boolean {
    return this.kernel.countLeft(path) > 0;
  }

  async usersOf(devicePath: string, numbers: readonly string[], signal: AbortSignal): Promise<readonly DeviceUser[]> {
    throwIfAborted(signal);
    const held = this.kernel.multipathd.mapOf(devicePath.slice('/dev/'.length)) !== undefined;
    // open files are found by the device's number, the kernel's claim is of that one path
    const numbered = [...this.#users]
      .filter(([path]) => path !== devicePath && numbers.includes(this.#numberOf(path) ?? ''))
      .flatMap(([, users]) => users.filter(({ pid }) => pid !== 0));
    return [...(held ? [{ pid: 0, name: 'the kernel' }] : []), ...(this.#users.get(devicePath) ?? []), ...numbered];
  }

  #numberOf(path: string): string | undefined {
    return this.tree.read(`/sys/class/block/${path.slice('/dev/'.length)}/dev`)?.trim();
  }
}

interface Place {
  readonly target: string;
  readonly portal: Portal;
  readonly iface: string;
}

/** What a command says of records and sessions. */
type Pattern = Omit<Place, 'portal' | 'iface'> & {
  readonly portal: Portal | undefined;
  readonly iface: string | undefined;
};

interface FakeRecord extends Place {
  readonly path: string;
  readonly values: ReadonlyMap<string, string>;
}

function exit(exitCode: number, stderr = ''): CommandResult {
  return { exitCode, stdout: '', stderr: stderr === '' ? '' : `${stderr}\n` };
}
