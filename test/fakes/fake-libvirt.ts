import { throwIfAborted } from '../../src/base/aborted.js';
import type { Secret } from '../../src/base/secret.js';
import { VolumeError } from '../../src/base/volume-error.js';
import type { GuestDisk } from '../../src/guest/guest-disk.js';
import {
  formatDomainRef,
  type BlockJob,
  type DeviceRemoved,
  type DeviceScope,
  type Domain,
  type DomainRef,
  type Libvirt,
  type ListedDomain,
  type SecretUsage,
} from '../../src/libvirt/libvirt.js';
import { parseGuestDisk, parseGuestDisks } from '../../src/guest/parse-guest-disks.js';
import {
  type CopyTarget,
  diskOn,
  escaped,
  mediumChanged,
  moved,
  readCopyTarget,
  readDisk,
  refuseHotPlug,
  refuseHotUnplug,
  refused,
  withAlias,
  without,
} from './fake-disks.js';

/**
 * What the guest does when it is asked to let go of a disk. `at once`: it obeys. `never`: nobody is at home, libvirt
 * still reports success. `after n requests`: it hears the nth request (a guest that was booting).
 */
export type Answer = 'at once' | 'never' | { readonly afterRequests: number };

/**
 * How a block copy fares: it is ready when it has been looked at that often, it never is, or the device that is copied
 * to has failed when somebody looks for the second time.
 */
export type CopyFate = { readonly readyAfterLooks: number } | 'never ready' | 'fails';

/**
 * An attach that goes wrong: what libvirt does of it, and what the caller hears. `late`: it is under way when the
 * answer is lost, and done once somebody waits for the guest's jobs.
 */
export interface AttachFault {
  readonly does: 'all' | 'nothing' | 'live' | 'config';
  /** Default: the answer is lost with the connection. */
  readonly says?: 'nothing' | 'refused';
  readonly late?: boolean;
  /** How many calls after it find no daemon: it restarts. */
  readonly awayForCalls?: number;
  /** What else happens before the answer. */
  readonly meanwhile?: () => void;
}

interface FakeCopy extends CopyTarget {
  looks: number;
}

export interface FakeDomainOptions {
  readonly name: string;
  /** Default: one made from the order of adding. */
  readonly uuid?: string;
  /** Default: true. */
  readonly active?: boolean;
  /** Default: true. */
  readonly persistent?: boolean;
  /** Default: `at once`. */
  readonly answersUnplug?: Answer;
}

interface FakeDomain {
  readonly name: string;
  readonly uuid: string;
  readonly persistent: boolean;
  active: boolean;
  answersUnplug: Answer;
  live: readonly string[];
  config: readonly string[];
  /** How often each disk was asked to leave, by target. */
  readonly requests: Map<string, number>;
  /** The disks that are being copied, by target. */
  readonly copies: Map<string, FakeCopy>;
}

interface FakeSecret {
  readonly uuid: string;
  readonly value: Secret;
}

/** virErrorNumber of libvirt (include/libvirt/virterror.h). */
const INTERNAL_ERROR = 1;
const NO_DOMAIN = 42;
const NO_SECRET = 66;
const OPERATION_INVALID = 55;
const DEVICE_MISSING = 99;
const INVALID_ARG = 8;
const BLOCK_COPY_ACTIVE = 83;
const OPERATION_UNSUPPORTED = 84;

const COPY_BYTES = 2 ** 30;

/**
 * libvirt with guests in memory. It obeys the port's contract (test/libvirt/libvirt-contract.ts runs against it) and
 * does what libvirt 9 was seen to do: a detach that the guest ignores returns without an error, and the disk stays.
 */
export class FakeLibvirt implements Libvirt {
  /** Set to false for an adapter that cannot hear events, as virsh. */
  hearsEvents = true;
  /** What becomes of copies, those that have begun too. */
  copyFate: CopyFate = { readyAfterLooks: 3 };
  /** How large the devices are that disks are copied to and from; unknown, they are as large as each other. */
  sizeOfDevice: (path: string) => number | undefined = () => undefined;
  /** libvirt 9.0.0 does not. */
  widensSlices = false;
  readonly #domains: FakeDomain[] = [];
  readonly #secrets = new Map<string, FakeSecret>();
  readonly #listeners = new Set<{ readonly hear: (event: DeviceRemoved) => void }>();
  readonly #sizes = new Map<string, number>();
  #isDown = false;
  /** How many calls find no daemon. */
  #away = 0;
  #attachFault: AttachFault | undefined;
  /** What is under way since its answer was lost. */
  #late: (() => void) | undefined;
  #created = 0;

  addDomain({
    name,
    uuid = this.#newUuid(),
    active = true,
    persistent = true,
    answersUnplug = 'at once',
  }: FakeDomainOptions): void {
    this.#domains.push({
      name,
      uuid,
      active,
      persistent,
      answersUnplug,
      live: [],
      config: [],
      requests: new Map(),
      copies: new Map(),
    });
  }

  /** The guest's disks as its description shows them. */
  disksOf(name: string, which: 'live' | 'config' = 'live'): readonly GuestDisk[] {
    return parseGuestDisks(this.#describe(this.#named(name), which));
  }

  has(name: string): boolean {
    return this.#domains.some((domain) => domain.name === name);
  }

  isRunning(name: string): boolean {
    return this.#named(name).active;
  }

  /** From now on the guest answers like that; requests it has not answered stay unanswered. */
  setAnswer(name: string, answersUnplug: Answer): void {
    this.#named(name).answersUnplug = answersUnplug;
  }

  /** The guest lets go of the disk now, as a guest that was slow. */
  letGo(name: string, targetDev: string): void {
    this.#remove(this.#named(name), targetDev);
  }

  /** How often the running guest was asked to let go of that disk. */
  unplugRequests(name: string, targetDev: string): number {
    return this.#named(name).requests.get(targetDev) ?? 0;
  }

  /** The guest ends: a transient one is no more, a persistent one keeps its configuration. */
  stop(name: string): void {
    const domain = this.#named(name);
    domain.active = false;
    domain.live = [];
    domain.copies.clear();
    if (!domain.persistent) this.#domains.splice(this.#domains.indexOf(domain), 1);
  }

  /** The guest starts with the disks of its configuration. */
  start(name: string): void {
    const domain = this.#named(name);
    domain.active = true;
    domain.live = domain.config.map((xml) => withAlias(xml));
  }

  /**
   * `virsh migrate --live`: the guest runs on there as the description for the destination says, and ends here; what is
   * persistent stays defined here, as without --undefinesource. Where the other side refuses, it runs on here: a secret
   * of its description that the other side does not know, or a name or UUID that a guest has there.
   */
  async migrate(name: string, destination: FakeLibvirt, destinationXml: string): Promise<void> {
    const { uuid, active } = this.#named(name);
    if (!active) throw refused('Requested operation is not valid: domain is not running', OPERATION_INVALID);
    destination.#receive({ name, uuid }, parseGuestDisks(destinationXml));
    this.stop(name);
  }

  #receive({ name, uuid }: ListedDomain, disks: readonly GuestDisk[]): void {
    this.#reachDaemon(new AbortController().signal);
    const known = new Set([...this.#secrets.values()].map((secret) => secret.uuid));
    const missing = disks.find(({ secretUuid }) => secretUuid !== undefined && !known.has(secretUuid));
    if (missing !== undefined)
      throw refused(`Secret not found: no secret with matching uuid '${missing.secretUuid ?? ''}'`, NO_SECRET);
    const present = this.#domains.find((domain) => domain.uuid === uuid);
    if (present?.active === true)
      throw refused(`Requested operation is not valid: domain '${name}' is already active`, OPERATION_INVALID);
    if (present === undefined) this.addDomain({ name, uuid, persistent: false });
    const domain = this.#named(name);
    domain.active = true;
    domain.live = disks.map(({ xml }) => xml);
  }

  /** The description of a running guest, fit for another host. */
  migratableXml(name: string): string {
    return this.#describe(this.#named(name), 'live');
  }

  /** `virsh undefine`: a guest that is shut off is no more. */
  undefine(name: string): void {
    this.#domains.splice(this.#domains.indexOf(this.#named(name)), 1);
  }

  /** Until `startDaemon()`, every call rejects with `LIBVIRT_UNAVAILABLE`. Guests live on. */
  stopDaemon(): void {
    this.#isDown = true;
  }

  startDaemon(): void {
    this.#isDown = false;
    this.#away = 0;
  }

  /** What becomes of the next attach. */
  failNextAttach(fault: AttachFault): void {
    this.#attachFault = fault;
  }

  /** The size that `blockResize` last set. */
  sizeOf(name: string, targetDev: string): number | undefined {
    return this.#sizes.get(`${this.#named(name).uuid}/${targetDev}`);
  }

  secretValue(usage: SecretUsage): string | undefined {
    return this.#secrets.get(usage.id)?.value.reveal();
  }

  async lookupDomain(ref: DomainRef, signal: AbortSignal): Promise<Domain> {
    const { name, uuid, active, persistent } = this.#reach(ref, signal);
    return { name, uuid, active, persistent };
  }

  async domainXml(ref: DomainRef, which: 'live' | 'config', signal: AbortSignal): Promise<string> {
    return this.#describe(this.#reach(ref, signal), which);
  }

  async attachDevice(ref: DomainRef, deviceXml: string, scope: DeviceScope, signal: AbortSignal): Promise<void> {
    const domain = this.#reach(ref, signal);
    checkScope(domain, scope);
    const disk = readDisk(deviceXml);
    const { targetDev, alias, xml } = disk;
    const drive = scope.live ? diskOn(domain.live, targetDev) : undefined;
    const changed = drive === undefined ? undefined : mediumChanged(drive, disk);
    for (const which of ['config', 'live'] as const) {
      if (
        scope[which] &&
        diskOn(domain[which], targetDev) !== undefined &&
        (which === 'config' || changed === undefined)
      )
        throw refused(`operation failed: target ${targetDev} already exists`, OPERATION_INVALID);
      if (scope[which] && alias !== undefined && domain[which].map(parseGuestDisk).some((disk) => disk.alias === alias))
        throw refused(`non unique alias detected: ${alias}`, OPERATION_INVALID);
    }
    if (scope.live && changed === undefined) refuseHotPlug(disk);
    const plug = ({ live, config }: DeviceScope): void => {
      if (scope.config && config) domain.config = [...domain.config, xml];
      if (!scope.live || !live) return;
      domain.live = [...without(domain.live, targetDev), changed ?? withAlias(xml)];
      domain.requests.delete(targetDev);
    };
    const fault = this.#attachFault;
    this.#attachFault = undefined;
    if (fault === undefined) {
      plug({ live: true, config: true });
      return;
    }
    this.#failAttach(fault, plug, signal);
  }

  async detachDevice(ref: DomainRef, deviceXml: string, scope: DeviceScope, signal: AbortSignal): Promise<void> {
    const domain = this.#reach(ref, signal);
    checkScope(domain, scope);
    const { targetDev } = readDisk(deviceXml);
    for (const which of ['config', 'live'] as const) {
      if (scope[which] && diskOn(domain[which], targetDev) === undefined)
        throw refused(`device not found: no target device ${targetDev}`, DEVICE_MISSING);
    }
    if (scope.live) refuseHotUnplug(readDisk(deviceXml));
    if (scope.live) requireNoCopy(domain, targetDev);
    if (scope.config) domain.config = without(domain.config, targetDev);
    if (scope.live) this.#askToLeave(domain, targetDev);
  }

  async blockResize(ref: DomainRef, disk: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
    const domain = this.#reach(ref, signal);
    if (!domain.active) throw refused('Requested operation is not valid: domain is not running', OPERATION_INVALID);
    const found = domain.live
      .map(parseGuestDisk)
      .find(({ targetDev, sourcePath }) => targetDev === disk || sourcePath === disk);
    if (found === undefined) throw refused(`invalid argument: disk '${disk}' not found in domain`, INVALID_ARG);
    if (found.sliceBytes !== undefined && !this.widensSlices)
      throw refused(
        "internal error: unable to execute QEMU command 'block_resize': Cannot resize fixed-size raw disks",
        INTERNAL_ERROR,
      );
    domain.live = domain.live.map((xml) =>
      parseGuestDisk(xml).targetDev === found.targetDev ? xml.replace(/<slices>[^]*<\/slices>/, '') : xml,
    );
    this.#sizes.set(`${domain.uuid}/${found.targetDev}`, sizeBytes);
  }

  /** Of a running guest's disk libvirt changes next to nothing; this fake refuses it all. */
  async updateDevice(ref: DomainRef, deviceXml: string, scope: DeviceScope, signal: AbortSignal): Promise<void> {
    const domain = this.#reach(ref, signal);
    checkScope(domain, scope);
    const { targetDev, xml } = readDisk(deviceXml);
    if (scope.live) throw refused('Operation not supported: cannot modify the disk', OPERATION_UNSUPPORTED);
    if (diskOn(domain.config, targetDev) === undefined)
      throw refused(`invalid argument: target ${targetDev} doesn't exist.`, INVALID_ARG);
    domain.config = domain.config.map((known) => (parseGuestDisk(known).targetDev === targetDev ? xml : known));
  }

  async blockCopy(ref: DomainRef, disk: string, targetXml: string, signal: AbortSignal): Promise<void> {
    const domain = this.#reach(ref, signal);
    requireLiveDisk(domain, disk);
    requireNoCopy(domain, disk);
    domain.copies.set(disk, { ...readCopyTarget(targetXml), looks: 0 });
  }

  async blockJob(ref: DomainRef, disk: string, signal: AbortSignal): Promise<BlockJob | undefined> {
    const domain = this.#reach(ref, signal);
    this.#late?.();
    this.#late = undefined;
    requireLiveDisk(domain, disk);
    const copy = domain.copies.get(disk);
    if (copy === undefined) return undefined;
    copy.looks += 1;
    if ((this.copyFate === 'fails' && copy.looks > 1) || !this.#fits(domain, disk, copy)) {
      domain.copies.delete(disk);
      return undefined;
    }
    const steps = typeof this.copyFate === 'object' ? Math.max(1, this.copyFate.readyAfterLooks) : 2;
    const done = this.copyFate === 'never ready' ? 1 : Math.min(copy.looks, steps);
    return { kind: 'copy', copiedBytes: Math.floor((COPY_BYTES * done) / steps), totalBytes: COPY_BYTES };
  }

  async blockJobAbort(
    ref: DomainRef,
    disk: string,
    { pivot }: { readonly pivot: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const domain = this.#reach(ref, signal);
    const { xml, sourcePath } = requireLiveDisk(domain, disk);
    const copy = domain.copies.get(disk);
    if (copy === undefined)
      throw refused(`invalid argument: disk ${disk} does not have an active block job`, INVALID_ARG);
    if (pivot && !this.#isReady(copy))
      throw refused(`block copy still active: disk '${disk}' not ready for pivot yet`, BLOCK_COPY_ACTIVE);
    domain.copies.delete(disk);
    if (!pivot) return;
    domain.live = domain.live.map((known) => (known === xml ? moved(known, copy) : known));
    // The stored disk goes along where it was on the same device (src/qemu/qemu_blockjob.c,
    // qemuBlockJobRewriteConfigDiskSource).
    domain.config = domain.config.map((known) =>
      parseGuestDisk(known).targetDev === disk && parseGuestDisk(known).sourcePath === sourcePath
        ? moved(known, copy)
        : known,
    );
  }

  /** The copy of a disk has come this far: somebody else may have begun it. */
  beginCopy(name: string, targetDev: string, targetPath: string, sliceBytes?: number): void {
    this.#named(name).copies.set(targetDev, { targetPath, sliceBytes, looks: 0 });
  }

  async findSecret(usage: SecretUsage, signal: AbortSignal): Promise<string | undefined> {
    this.#reachDaemon(signal);
    return this.#secrets.get(usage.id)?.uuid;
  }

  async defineSecret(usage: SecretUsage, value: Secret, signal: AbortSignal): Promise<string> {
    this.#reachDaemon(signal);
    const uuid = this.#secrets.get(usage.id)?.uuid ?? this.#newUuid();
    this.#secrets.set(usage.id, { uuid, value });
    return uuid;
  }

  async undefineSecret(usage: SecretUsage, signal: AbortSignal): Promise<void> {
    this.#reachDaemon(signal);
    this.#secrets.delete(usage.id);
  }

  async onDeviceRemoved(listener: (event: DeviceRemoved) => void, signal: AbortSignal): Promise<() => Promise<void>> {
    this.#reachDaemon(signal);
    const entry = { hear: listener };
    this.#listeners.add(entry);
    return async () => {
      this.#listeners.delete(entry);
    };
  }

  async listDomains(signal: AbortSignal): Promise<readonly ListedDomain[]> {
    this.#reachDaemon(signal);
    return this.#domains.map(({ name, uuid }) => ({ name, uuid }));
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }

  #failAttach(
    { does, says = 'nothing', late = false, awayForCalls = 0, meanwhile = () => undefined }: AttachFault,
    plug: (done: DeviceScope) => void,
    signal: AbortSignal,
  ): never {
    const work = (): void => {
      plug({ live: does === 'all' || does === 'live', config: does === 'all' || does === 'config' });
    };
    if (late) this.#late = work;
    else work();
    meanwhile();
    if (says === 'refused') throw refused('cannot write the configuration: No space left on device', INTERNAL_ERROR);
    throwIfAborted(signal);
    this.#away = awayForCalls;
    throw new VolumeError('LIBVIRT_UNAVAILABLE', 'Cannot attach the device: libvirt closed the connection');
  }

  #askToLeave(domain: FakeDomain, targetDev: string): void {
    const requests = (domain.requests.get(targetDev) ?? 0) + 1;
    domain.requests.set(targetDev, requests);
    const answer = domain.answersUnplug;
    if (answer === 'at once' || (answer !== 'never' && requests >= answer.afterRequests))
      this.#remove(domain, targetDev);
  }

  #remove(domain: FakeDomain, targetDev: string): void {
    const alias = diskOn(domain.live, targetDev)?.alias;
    domain.live = without(domain.live, targetDev);
    domain.copies.delete(targetDev);
    if (alias === undefined || !this.hearsEvents || this.#isDown) return;
    for (const { hear } of [...this.#listeners]) hear({ domainUuid: domain.uuid, alias });
  }

  /** QEMU, block/mirror.c, mirror_run: "Source and target image have different sizes" ends the job, not the call. */
  #fits(domain: FakeDomain, targetDev: string, { targetPath, sliceBytes }: FakeCopy): boolean {
    const { sourcePath = '', sliceBytes: ofSource } = requireLiveDisk(domain, targetDev);
    const [from, to] = [ofSource ?? this.sizeOfDevice(sourcePath), sliceBytes ?? this.sizeOfDevice(targetPath)];
    return from === undefined || to === undefined || from === to;
  }

  #isReady({ looks }: FakeCopy): boolean {
    return typeof this.copyFate === 'object' && looks >= this.copyFate.readyAfterLooks;
  }

  #describe({ name, uuid, active, live, config, copies }: FakeDomain, which: 'live' | 'config'): string {
    const mirrored = (xml: string): string => {
      const copy = copies.get(parseGuestDisk(xml).targetDev);
      return copy === undefined
        ? xml
        : xml.replace(
            /<\/disk>\s*$/,
            `<mirror type='block' job='copy'${this.#isReady(copy) ? " ready='yes'" : ''}><format ` +
              `type='raw'/><source dev='${copy.targetPath}'/></mirror></disk>`,
          );
    };
    const disks = which === 'live' && active ? live.map(mirrored) : config;
    return (
      `<domain type='qemu'>\n  <name>${escaped(name)}</name>\n  <uuid>${uuid}</uuid>\n  ` +
      `<devices>\n${disks.join('\n')}\n  </devices>\n</domain>\n`
    );
  }

  #reach(ref: DomainRef, signal: AbortSignal): FakeDomain {
    this.#reachDaemon(signal);
    const domain = this.#domains.find(({ name, uuid }) =>
      ref.kind === 'uuid' ? uuid === ref.uuid : name === ref.name,
    );
    if (domain !== undefined) return domain;
    throw new VolumeError('DOMAIN_NOT_FOUND', `Cannot find guest "${formatDomainRef(ref)}": Domain not found`, {
      hint: 'List the guests: virsh list --all',
      details: { libvirtCode: NO_DOMAIN },
    });
  }

  #reachDaemon(signal: AbortSignal): void {
    throwIfAborted(signal);
    const isAway = this.#away > 0;
    if (isAway) this.#away -= 1;
    if (this.#isDown || isAway)
      throw new VolumeError('LIBVIRT_UNAVAILABLE', 'Cannot connect to libvirt: nobody listens there', {
        hint: 'systemctl start libvirtd.socket',
      });
  }

  #named(name: string): FakeDomain {
    const domain = this.#domains.find((candidate) => candidate.name === name);
    if (domain === undefined) throw new RangeError(`No domain ${name} was added`);
    return domain;
  }

  #newUuid(): string {
    this.#created++;
    return `00000000-0000-4000-8000-${String(this.#created).padStart(12, '0')}`;
  }
}

function checkScope({ active, persistent }: FakeDomain, scope: DeviceScope): void {
  if (scope.live && !active)
    throw refused('Requested operation is not valid: domain is not running', OPERATION_INVALID);
  if (scope.config && !persistent)
    throw refused(
      'Requested operation is not valid: transient domains do not have any persistent config',
      OPERATION_INVALID,
    );
}

function requireLiveDisk({ active, live }: FakeDomain, targetDev: string): GuestDisk {
  if (!active) throw refused('Requested operation is not valid: domain is not running', OPERATION_INVALID);
  const found = diskOn(live, targetDev);
  if (found === undefined) throw refused(`invalid argument: disk '${targetDev}' not found in domain`, INVALID_ARG);
  return found;
}

function requireNoCopy({ copies }: FakeDomain, targetDev: string): void {
  if (copies.has(targetDev))
    throw refused(`Operation not supported: disk '${targetDev}' already in active block job`, OPERATION_UNSUPPORTED);
}
