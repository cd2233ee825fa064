import type { Logger } from '../base/logger.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { Clock } from '../host/clock.js';
import type { DeviceScope, Domain, DomainRef, Libvirt, ListedDomain } from '../libvirt/libvirt.js';
import { coldPlugOnly, type DiskMatch, findLiveDisk, findStoredDisk, type GuestDisk } from './guest-disk.js';
import { type MovedDisk, movedDiskXml } from './moved-disk-xml.js';
import { parseGuestDisk, parseGuestDisks } from './parse-guest-disks.js';
import { AskAgain, Pause } from './pause.js';

export interface GuestDisksParts {
  readonly libvirt: Libvirt;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a running guest may take to let go of a disk. */
  readonly timeoutMs: number;
}

/** The disks of both descriptions of a guest: of a running one, and of one that libvirt keeps; else `undefined`. */
export interface GuestDescriptions {
  readonly live: readonly GuestDisk[] | undefined;
  readonly config: readonly GuestDisk[] | undefined;
}

/** What a guest has, in its two descriptions: a disk that is in both is there twice. */
export interface DisksOfGuest {
  readonly guest: string;
  readonly disks: readonly GuestDisk[];
}

/** One wait for a running guest to let go. */
interface Departure {
  readonly domain: Domain;
  readonly match: DiskMatch;
  readonly pause: Pause;
  readonly signal: AbortSignal;
}

/**
 * The disks of guests, whichever adapter reaches libvirt. A change is for the running guest, the stored configuration,
 * or both: as the guest is.
 */
export class GuestDisks {
  readonly #libvirt: Libvirt;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #timeoutMs: number;

  constructor({ libvirt, clock, logger, timeoutMs }: GuestDisksParts) {
    this.#libvirt = libvirt;
    this.#clock = clock;
    this.#logger = logger;
    this.#timeoutMs = timeoutMs;
  }

  /** @returns the disks of the running guest, or of its configuration when it does not run */
  async disks(domain: DomainRef, signal: AbortSignal): Promise<readonly GuestDisk[]> {
    return parseGuestDisks(await this.#libvirt.domainXml(domain, 'live', signal));
  }

  /** @returns the disks of the running guest; none when it does not run */
  async liveDisks(domain: DomainRef, signal: AbortSignal): Promise<readonly GuestDisk[]> {
    const found = await this.#libvirt.lookupDomain(domain, signal);
    return found.active ? await this.#disksIn(found, 'live', signal) : [];
  }

  /**
   * Attaches to the running guest if it runs, and for its next starts if it is persistent, in one call that libvirt
   * does whole or not at all.
   */
  async attach(domain: DomainRef, diskXml: string, signal: AbortSignal): Promise<void> {
    await this.attachTo(await this.requireAttachable(domain, diskXml, signal), diskXml, signal);
  }

  /**
   * The first half of an attach, which asks libvirt for nothing yet.
   * @returns the guest as it is now
   * @throws {VolumeError} `DISK_INFO_INVALID` for a cdrom whose name a drive of the running guest has
   */
  async requireAttachable(domain: DomainRef, diskXml: string, signal: AbortSignal): Promise<Domain> {
    const guest = await this.#libvirt.lookupDomain(domain, signal);
    if (guest.active) await this.#refuseMediumChange(domain, guest.name, parseGuestDisk(diskXml), signal);
    return guest;
  }

  /** The other half. */
  async attachTo(guest: Domain, diskXml: string, signal: AbortSignal): Promise<void> {
    const { name, active, persistent } = guest;
    await this.#libvirt.attachDevice(refOf(guest), diskXml, { live: active, config: persistent }, signal);
    this.#logger.info('Attached a disk to the guest', { guest: name, live: active, config: persistent });
  }

  /** What a guest has, as it runs and for its next start. One that is no more has nothing. */
  async descriptionsOf(guest: ListedDomain, signal: AbortSignal): Promise<GuestDescriptions> {
    try {
      const now = await this.#libvirt.lookupDomain(refOf(guest), signal);
      return {
        live: now.active ? await this.#disksIn(now, 'live', signal) : undefined,
        config: now.persistent ? await this.#disksIn(now, 'config', signal) : undefined,
      };
    } catch (error) {
      if (isVolumeError(error, 'DOMAIN_NOT_FOUND')) return { live: undefined, config: undefined };
      throw error;
    }
  }

  /**
   * Detaches the disk from the configuration first, so that a guest that restarts meanwhile does not take it again,
   * then from the running guest. Resolves when the guest's own description no longer has the disk: a call that returned
   * proves nothing.
   * @param scope which of the two, where not both
   * @returns false when neither description has such a disk
   * @throws {VolumeError} `DETACH_UNCONFIRMED` when the guest still has the disk after the time limit; a request that
   * is under way
   *   then is waited for, and libvirt takes up to 5 s for one
   */
  async detach(
    domain: DomainRef,
    match: DiskMatch,
    signal: AbortSignal,
    scope: DeviceScope = { live: true, config: true },
  ): Promise<boolean> {
    const found = await this.#libvirt.lookupDomain(domain, signal);
    const running = scope.live && found.active ? await this.#find(found, 'live', match, signal) : undefined;
    if (running?.mirror !== undefined) throw isCopied(found, running);
    const stored = scope.config && found.persistent && (await this.#detachStored(found, match, signal));
    const live = running !== undefined;
    if (live) await this.#detachLive(found, match, signal);
    if (stored || live)
      this.#logger.info('Detached a disk from the guest', { guest: found.name, live, config: stored });
    return stored || live;
  }

  /**
   * Tells a running guest how large its disk has become. The call is trusted: QEMU reads the length of a host device
   * anew for it, and never sets one (QEMU, block/file-posix.c, raw_co_truncate). One that does not run reads it when it
   * starts.
   * @throws {VolumeError} `DOMAIN_NOT_FOUND`, `LIBVIRT_REFUSED`
   */
  async resize(
    domain: DomainRef,
    match: DiskMatch,
    sizeBytes: number,
    signal: AbortSignal,
  ): Promise<'resized' | 'not-running' | 'no-such-disk'> {
    const found = await this.#libvirt.lookupDomain(domain, signal);
    if (!found.active) return 'not-running';
    const disk = await this.#find(found, 'live', match, signal);
    if (disk === undefined) return 'no-such-disk';
    await this.#libvirt.blockResize(refOf(found), disk.targetDev, sizeBytes, signal);
    this.#logger.info('Told the guest the new size of a disk', {
      guest: found.name,
      targetDev: disk.targetDev,
      sizeBytes,
    });
    return 'resized';
  }

  /**
   * After a running guest's disk has moved to another volume: the next start takes that one too, under its own name.
   * libvirt has changed the stored source already where both descriptions were on the same device
   * (src/qemu/qemu_blockjob.c, qemuBlockJobRewriteConfigDiskSource); the alias, by which detach finds the disk, is ours
   * to change.
   * @param live the running guest's disk: what is stored under its target is changed when it has its alias, or is on
   * the new device
   * @returns whether the configuration had the disk
   */
  async moveStored(
    { uuid, persistent }: Domain,
    live: GuestDisk,
    { devicePaths, ...to }: MovedDisk & { readonly devicePaths: readonly string[] },
    signal: AbortSignal,
  ): Promise<boolean> {
    if (!persistent) return false;
    const ref = { kind: 'uuid', uuid } as const;
    const disk = parseGuestDisks(await this.#libvirt.domainXml(ref, 'config', signal)).find(
      ({ targetDev }) => targetDev === live.targetDev,
    );
    if (
      disk === undefined ||
      !(disk.alias === live.alias || (disk.sourcePath !== undefined && devicePaths.includes(disk.sourcePath)))
    )
      return false;
    if (
      disk.sourcePath !== to.devicePath ||
      disk.alias !== to.alias ||
      disk.serial !== to.serial ||
      disk.sliceBytes !== undefined
    )
      await this.#libvirt.updateDevice(ref, movedDiskXml(disk.xml, to), { live: false, config: true }, signal);
    return true;
  }

  /**
   * Looks through every guest that libvirt knows, running or not: a guest that is shut off keeps its disks for its next
   * start, and no process has them open.
   * @returns the names of the guests that have such a disk, now or for their next start
   */
  async guestsWith(isMeant: (disk: GuestDisk) => boolean, signal: AbortSignal): Promise<readonly string[]> {
    return (await this.all(signal)).filter(({ disks }) => disks.some(isMeant)).map(({ guest }) => guest);
  }

  /** The disks of every guest, for now and for its next start. */
  async all(signal: AbortSignal): Promise<readonly DisksOfGuest[]> {
    const found: DisksOfGuest[] = [];
    for (const domain of await this.#libvirt.listDomains(signal)) {
      const disks = [
        ...(await this.#disksIn(domain, 'live', signal)),
        ...(await this.#disksIn(domain, 'config', signal)),
      ];
      found.push({ guest: domain.name, disks });
    }
    return found;
  }

  /**
   * Of a cdrom whose name a drive of the guest has, libvirt takes the attach for a change of that drive's medium
   * (qemuDomainAttachDeviceDiskLive; lab/scenarios/guest-life.ts): the drive keeps its own alias and serial, so that no
   * detach would find the volume.
   */
  async #refuseMediumChange(
    domain: DomainRef,
    guest: string,
    { device, targetDev }: GuestDisk,
    signal: AbortSignal,
  ): Promise<void> {
    if (device !== 'cdrom' || !(await this.disks(domain, signal)).some((disk) => disk.targetDev === targetDev)) return;
    throw new VolumeError(
      'DISK_INFO_INVALID',
      `Cannot attach the cdrom to guest "${guest}": dev is "${targetDev}", a drive that the guest has, whose ` +
        'medium would be changed: expected a name that is free',
      { details: { key: 'dev', guest } },
    );
  }

  async #detachStored(domain: Domain, match: DiskMatch, signal: AbortSignal): Promise<boolean> {
    const disk = await this.#find(domain, 'config', match, signal);
    if (disk === undefined) return false;
    await this.#libvirt.detachDevice(refOf(domain), disk.xml, { live: false, config: true }, signal);
    return true;
  }

  async #detachLive(domain: Domain, match: DiskMatch, signal: AbortSignal): Promise<void> {
    const pause = new Pause(this.#clock);
    const unsubscribe = await this.#libvirt.onDeviceRemoved(({ domainUuid }) => {
      if (domainUuid === domain.uuid) pause.wake();
    }, signal);
    try {
      await this.#leave({ domain, match, pause, signal });
    } finally {
      await unsubscribe();
    }
  }

  /** Asks, looks, waits, and asks again now and then: a guest that is starting may not hear the first request. */
  async #leave(departure: Departure): Promise<void> {
    const { domain, match, pause, signal } = departure;
    const deadline = this.#clock.now() + this.#timeoutMs;
    const askAgain = new AskAgain(this.#clock);
    for (;;) {
      const disk = await this.#find(domain, 'live', match, signal);
      if (disk === undefined) return;
      if (this.#clock.now() >= deadline) throw this.#unconfirmed(domain, disk, askAgain.asked);
      if (askAgain.isDue) {
        await this.#ask(departure, disk);
        askAgain.note();
        pause.reset();
      } else {
        await pause.take(deadline, signal);
      }
    }
  }

  /** A refusal is none when the disk is gone nevertheless, or when the guest has been asked already. */
  async #ask({ domain, match, signal }: Departure, disk: GuestDisk): Promise<void> {
    try {
      await this.#libvirt.detachDevice(refOf(domain), disk.xml, { live: true, config: false }, signal);
    } catch (error) {
      if (!isVolumeError(error, 'LIBVIRT_REFUSED', 'DOMAIN_NOT_FOUND')) throw error;
      if (isAskedAlready(error)) return;
      if ((await this.#find(domain, 'live', match, signal)) !== undefined) throw explained(error, domain, disk);
    }
  }

  async #find(
    domain: Domain,
    which: 'live' | 'config',
    match: DiskMatch,
    signal: AbortSignal,
  ): Promise<GuestDisk | undefined> {
    const disks = await this.#disksIn(domain, which, signal);
    return which === 'live' ? findLiveDisk(disks, match) : findStoredDisk(disks, match);
  }

  /** A transient guest that has ended has no disks left. */
  async #disksIn(domain: ListedDomain, which: 'live' | 'config', signal: AbortSignal): Promise<readonly GuestDisk[]> {
    try {
      return parseGuestDisks(await this.#libvirt.domainXml(refOf(domain), which, signal));
    } catch (error) {
      if (isVolumeError(error, 'DOMAIN_NOT_FOUND')) return [];
      throw error;
    }
  }

  #unconfirmed({ name, uuid }: Domain, { targetDev, alias }: GuestDisk, requests: number): VolumeError {
    return new VolumeError(
      'DETACH_UNCONFIRMED',
      `Cannot detach ${targetDev} from guest "${name}": the guest has not let go of it within ` +
        `${this.#timeoutMs / 1000} s`,
      {
        hint:
          'The volume stays connected. Try again once the guest has booted and answers, which a paused one ' +
          'does not, or shut the guest down and try again',
        details: { guest: name, uuid, targetDev, ...(alias === undefined ? {} : { alias }), requests },
      },
    );
  }
}

/** By UUID: a guest of the same name that was defined meanwhile is another guest. */
function refOf({ uuid }: ListedDomain): DomainRef {
  return { kind: 'uuid', uuid };
}

/** libvirt refuses it too, but of the running guest alone: the stored description would have lost the disk by then. */
function isCopied({ name, uuid }: Domain, { targetDev, mirror }: GuestDisk): VolumeError {
  return new VolumeError(
    'LIBVIRT_REFUSED',
    `Cannot detach ${targetDev} from guest "${name}": it is being copied to ${mirror?.sourcePath ?? 'another place'}`,
    {
      hint: 'nothing was touched: a swap is under way; wait for it, or end it',
      details: { guest: name, uuid, targetDev },
    },
  );
}

/** What to do about a disk that no running guest can lose, which libvirt's words do not say. */
function explained(error: VolumeError, { name, uuid }: Domain, disk: GuestDisk): VolumeError {
  if (!coldPlugOnly(disk)) return error;
  return new VolumeError(
    'LIBVIRT_REFUSED',
    `Cannot detach ${disk.targetDev} from guest "${name}" while it runs: it is on the bus ${disk.bus ?? ''}, where ` +
      'QEMU unplugs nothing',
    {
      hint:
        'The volume stays connected, and a stored description is without the disk already. Shut the guest down ' +
        'and detach again',
      details: { ...error.details, guest: name, uuid, targetDev: disk.targetDev },
      cause: error,
    },
  );
}

/** QEMU, qapi/qdev.json and softmmu/qdev-monitor.c: "Device X is already in the process of unplug". */
function isAskedAlready({ message }: VolumeError): boolean {
  return message.includes('already in the process of unplug');
}
