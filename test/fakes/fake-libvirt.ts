import { throwIfAborted } from '../../src/base/aborted.js';
import type { Secret } from '../../src/base/secret.js';
import { VolumeError } from '../../src/base/volume-error.js';
import type { GuestDisk } from '../../src/libvirt/guest-disk.js';
import { formatDomainRef, type DeviceRemoved, type DeviceScope, type Domain, type DomainRef, type Libvirt, type ListedDomain, type SecretUsage } from '../../src/libvirt/libvirt.js';
import { parseGuestDisk, parseGuestDisks } from '../../src/libvirt/parse-guest-disks.js';

/**
 * What the guest does when it is asked to let go of a disk. `at once`: it obeys. `never`: nobody is at home, libvirt still reports
 * success. `after n requests`: it hears the nth request (a guest that was booting).
 */
export type Answer = 'at once' | 'never' | { readonly afterRequests: number };

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
}

interface FakeSecret {
  readonly uuid: string;
  readonly value: Secret;
}

/** virErrorNumber of libvirt (include/libvirt/virterror.h). */
const NO_DOMAIN = 42;
const NO_SECRET = 66;
const OPERATION_INVALID = 55;
const DEVICE_MISSING = 99;
const INVALID_ARG = 8;
const INTERNAL_ERROR = 1;
const OPERATION_UNSUPPORTED = 84;

/**
 * libvirt with guests in memory. It obeys the port's contract (test/libvirt/libvirt-contract.ts runs against it) and does what
 * libvirt 9 was seen to do: a detach that the guest ignores returns without an error, and the disk stays.
 */
export class FakeLibvirt implements Libvirt {
  /** Set to false for an adapter that cannot hear events, as virsh. */
  hearsEvents = true;
  readonly #domains: FakeDomain[] = [];
  readonly #secrets = new Map<string, FakeSecret>();
  readonly #listeners = new Set<{ readonly hear: (event: DeviceRemoved) => void }>();
  readonly #sizes = new Map<string, bigint>();
  #isDown = false;
  #created = 0;

  addDomain({ name, uuid = this.#newUuid(), active = true, persistent = true, answersUnplug = 'at once' }: FakeDomainOptions): void {
    this.#domains.push({ name, uuid, active, persistent, answersUnplug, live: [], config: [], requests: new Map() });
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
    if (!domain.persistent) this.#domains.splice(this.#domains.indexOf(domain), 1);
  }

  /** The guest starts with the disks of its configuration. */
  start(name: string): void {
    const domain = this.#named(name);
    domain.active = true;
    domain.live = domain.config.map((xml) => withAlias(xml));
  }

  /**
   * `virsh migrate --live`: the guest runs on there as the description for the destination says, and ends here; what is persistent stays defined here, as without --undefinesource. Where the other side
   * refuses, it runs on here: a secret of its description that the other side does not know, or a name or UUID that a guest has there.
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
    if (missing !== undefined) throw refused(`Secret not found: no secret with matching uuid '${missing.secretUuid ?? ''}'`, NO_SECRET);
    const present = this.#domains.find((domain) => domain.uuid === uuid);
    if (present?.active === true) throw refused(`Requested operation is not valid: domain '${name}' is already active`, OPERATION_INVALID);
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
  }

  /** The size that `blockResize` last set. */
  sizeOf(name: string, targetDev: string): bigint | undefined {
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
    const { targetDev, xml } = disk;
    const drive = scope.live ? diskOn(domain.live, targetDev) : undefined;
    const changed = drive === undefined ? undefined : mediumChanged(drive, disk);
    for (const which of ['config', 'live'] as const) {
      if (scope[which] && diskOn(domain[which], targetDev) !== undefined && (which === 'config' || changed === undefined)) throw refused(`operation failed: target ${targetDev} already exists`, OPERATION_INVALID);
    }
    if (scope.live && changed === undefined) refuseHotPlug(disk);
    if (scope.config) domain.config = [...domain.config, xml];
    if (scope.live) domain.live = [...without(domain.live, targetDev), changed ?? withAlias(xml)];
    if (scope.live) domain.requests.delete(targetDev);
  }

  async detachDevice(ref: DomainRef, deviceXml: string, scope: DeviceScope, signal: AbortSignal): Promise<void> {
    const domain = this.#reach(ref, signal);
    checkScope(domain, scope);
    const { targetDev } = readDisk(deviceXml);
    for (const which of ['config', 'live'] as const) {
      if (scope[which] && diskOn(domain[which], targetDev) === undefined) throw refused(`device not found: no target device ${targetDev}`, DEVICE_MISSING);
    }
    if (scope.live) refuseHotUnplug(readDisk(deviceXml));
    if (scope.config) domain.config = without(domain.config, targetDev);
    if (scope.live) this.#askToLeave(domain, targetDev);
  }

  async blockResize(ref: DomainRef, disk: string, sizeBytes: bigint, signal: AbortSignal): Promise<void> {
    const domain = this.#reach(ref, signal);
    if (!domain.active) throw refused('Requested operation is not valid: domain is not running', OPERATION_INVALID);
    const found = domain.live.map(parseGuestDisk).find(({ targetDev, sourcePath }) => targetDev === disk || sourcePath === disk);
    if (found === undefined) throw refused(`invalid argument: disk '${disk}' not found in domain`, INVALID_ARG);
    this.#sizes.set(`${domain.uuid}/${found.targetDev}`, sizeBytes);
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
    return async () => { this.#listeners.delete(entry); };
  }

  async listDomains(signal: AbortSignal): Promise<readonly ListedDomain[]> {
    this.#reachDaemon(signal);
    return this.#domains.map(({ name, uuid }) => ({ name, uuid }));
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }

  #askToLeave(domain: FakeDomain, targetDev: string): void {
    const requests = (domain.requests.get(targetDev) ?? 0) + 1;
    domain.requests.set(targetDev, requests);
    const answer = domain.answersUnplug;
    if (answer === 'at once' || (answer !== 'never' && requests >= answer.afterRequests)) this.#remove(domain, targetDev);
  }

  #remove(domain: FakeDomain, targetDev: string): void {
    const alias = diskOn(domain.live, targetDev)?.alias;
    domain.live = without(domain.live, targetDev);
    if (alias === undefined || !this.hearsEvents || this.#isDown) return;
    for (const { hear } of [...this.#listeners]) hear({ domainUuid: domain.uuid, alias });
  }

  #describe({ name, uuid, active, live, config }: FakeDomain, which: 'live' | 'config'): string {
    const disks = which === 'live' && active ? live : config;
    return `<domain type='qemu'>\n  <name>${escaped(name)}</name>\n  <uuid>${uuid}</uuid>\n  <devices>\n${disks.join('\n')}\n  </devices>\n</domain>\n`;
  }

  #reach(ref: DomainRef, signal: AbortSignal): FakeDomain {
    this.#reachDaemon(signal);
    const domain = this.#domains.find(({ name, uuid }) => (ref.kind === 'uuid' ? uuid === ref.uuid : name === ref.name));
    if (domain !== undefined) return domain;
    throw new VolumeError('DOMAIN_NOT_FOUND', `Cannot find guest "${formatDomainRef(ref)}": Domain not found`, { hint: 'List the guests: virsh list --all', details: { libvirtCode: NO_DOMAIN } });
  }

  #reachDaemon(signal: AbortSignal): void {
    throwIfAborted(signal);
    if (this.#isDown) throw new VolumeError('LIBVIRT_UNAVAILABLE', 'Cannot connect to libvirt: nobody listens there', { hint: 'systemctl start libvirtd.socket' });
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
  if (scope.live && !active) throw refused('Requested operation is not valid: domain is not running', OPERATION_INVALID);
  if (scope.config && !persistent) throw refused('Requested operation is not valid: transient domains do not have any persistent config', OPERATION_INVALID);
}

/** As libvirt 9.0.0 was seen to, in its words and QEMU's. */
function refuseHotPlug({ bus = '' }: GuestDisk): void {
  if (isFixed(bus)) throw refused('internal error: unable to execute QEMU command \'device_add\': Bus \'ide.3\' does not support hotplugging', INTERNAL_ERROR);
}

function refuseHotUnplug({ device, bus = '' }: GuestDisk): void {
  if (isFixed(bus)) throw refused(device === 'cdrom' ? 'Operation not supported: disk device type \'cdrom\' cannot be detached' : 'Operation not supported: This type of disk cannot be hot unplugged', OPERATION_UNSUPPORTED);
}

/** What libvirt makes of a cdrom for a running guest that has a drive of that name: the drive with another medium, its own alias and no serial. */
function mediumChanged(drive: GuestDisk, { device, targetDev, sourcePath = '' }: GuestDisk): string | undefined {
  if (device !== 'cdrom' || drive.device !== 'cdrom') return undefined;
  return `<disk type='block' device='cdrom'><source dev='${sourcePath}'/><target dev='${targetDev}' bus='${drive.bus ?? ''}'/><alias name='${drive.alias ?? ''}'/></disk>`;
}

function isFixed(bus: string): boolean {
  return ['sata', 'ide', 'fdc'].includes(bus);
}

function readDisk(xml: string): GuestDisk {
  try {
    return parseGuestDisk(xml);
  } catch (cause) {
    throw new VolumeError('LIBVIRT_REFUSED', 'XML error: the device is no disk that this fake knows', { cause, details: { libvirtCode: 27 } });
  }
}

function diskOn(disks: readonly string[], targetDev: string): GuestDisk | undefined {
  return disks.map(parseGuestDisk).find((disk) => disk.targetDev === targetDev);
}

function without(disks: readonly string[], targetDev: string): readonly string[] {
  return disks.filter((xml) => parseGuestDisk(xml).targetDev !== targetDev);
}

/** libvirt gives every device of a running guest an alias. */
function withAlias(xml: string): string {
  const { alias, bus, targetDev } = parseGuestDisk(xml);
  return alias === undefined ? xml.replace(/<\/disk>\s*$/, `<alias name='${bus ?? 'disk'}-${targetDev}'/></disk>`) : xml;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function refused(message: string, libvirtCode: number): VolumeError {
  return new VolumeError('LIBVIRT_REFUSED', message, { details: { libvirtCode } });
}
