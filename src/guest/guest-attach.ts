import { errorChain } from '../base/error-chain.js';
import type { Logger } from '../base/logger.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { Clock } from '../host/clock.js';
import { pollUntil } from '../host/poll-until.js';
import type { DeviceScope, Domain, DomainRef, Libvirt } from '../libvirt/libvirt.js';
import { type DiskMatch, findGuestDisk, type GuestDisk } from './guest-disk.js';
import type { GuestDisks } from './guest-disks.js';
import { parseGuestDisk } from './parse-guest-disks.js';

export interface GuestAttachParts {
  readonly libvirt: Libvirt;
  readonly guestDisks: GuestDisks;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A volume's disk on its way into a guest. */
export interface ArrivingDisk {
  readonly domain: DomainRef;
  readonly diskXml: string;
  /** What tells the volume's disk from others, with every name of its device. */
  readonly match: DiskMatch;
  /** Whether the running guest has the volume before it is asked. */
  readonly wasInGuest: boolean;
}

/**
 * `attached`: the guest has the disk in all that was asked for. `absent`: it has not got it by this call, and the host
 * may be undone. `stays`: it has a part of it, or may have: the host keeps the volume.
 */
export type AttachOutcome =
  | { readonly kind: 'attached'; readonly warnings: readonly string[] }
  | { readonly kind: 'absent'; readonly error: unknown }
  | { readonly kind: 'stays'; readonly error: VolumeError };

/** Where a guest has the disk as it was to be attached. */
type Presence = Readonly<Record<keyof DeviceScope, 'here' | 'missing' | 'not asked for'>>;

/** One attach that failed. */
interface Failure {
  readonly arriving: ArrivingDisk;
  readonly guest: Domain;
  readonly wanted: GuestDisk;
  readonly error: unknown;
}

/** How long a daemon that restarts may take until it answers again. */
const ANSWERS_AGAIN_MS = 30_000;
/** How long all looks, and taking a part of the disk away again, may take, whatever became of the caller's signal. */
const DECIDE_MS = 180_000;

/** Errors that say that libvirt has answered, or was not asked. After any other one the answer is lost. */
const ANSWERS = ['LIBVIRT_REFUSED', 'DOMAIN_NOT_FOUND', 'PERMISSION_DENIED', 'COMMAND_NOT_FOUND'] as const;

/**
 * Attaches a volume's disk to a guest. The guest's own descriptions decide what a call did that failed: libvirt may
 * have done all of it before its answer was lost, and it refuses a disk that the guest has already.
 */
export class GuestAttach {
  readonly #parts: GuestAttachParts;

  constructor(parts: GuestAttachParts) {
    this.#parts = parts;
  }

  /** @throws what keeps libvirt from being asked at all */
  async attach(arriving: ArrivingDisk, signal: AbortSignal): Promise<AttachOutcome> {
    const { guestDisks } = this.#parts;
    const { domain, diskXml } = arriving;
    const wanted = parseGuestDisk(diskXml);
    const guest = await guestDisks.requireAttachable(domain, diskXml, signal).catch(async (error: unknown) => {
      // a cdrom that the guest has already is refused here
      if (isVolumeError(error, 'DISK_INFO_INVALID')) return error;
      throw error;
    });
    if (guest instanceof VolumeError) return await this.#afterRefusal(arriving, wanted, guest, signal);
    try {
      await guestDisks.attachTo(guest, diskXml, signal);
      return { kind: 'attached', warnings: [] };
    } catch (error) {
      const limit = AbortSignal.timeout(DECIDE_MS);
      return isVolumeError(error, ...ANSWERS)
        ? await this.#afterRefusal(arriving, wanted, error, limit)
        : await this.#afterLoss({ arriving, guest, wanted, error }, limit);
    }
  }

  /** What the guest has then it had before, but for a stored description that libvirt could not save. */
  async #afterRefusal(
    arriving: ArrivingDisk,
    wanted: GuestDisk,
    error: VolumeError,
    signal: AbortSignal,
  ): Promise<AttachOutcome> {
    const { libvirt, logger } = this.#parts;
    const absent = { kind: 'absent', error } as const;
    try {
      const guest = await libvirt.lookupDomain(arriving.domain, signal);
      const presence = await this.#presenceOf(guest, arriving, wanted, signal);
      if (isWhole(presence)) return { kind: 'attached', warnings: ['the guest had it already'] };
      if (presence.live !== 'here' || presence.config !== 'missing') return absent;
      await libvirt.attachDevice(refOf(guest), arriving.diskXml, { live: false, config: true }, signal);
      return { kind: 'attached', warnings: ['the guest had it already, and has it for its next start now'] };
    } catch (failure) {
      logger.warn('Cannot tell whether the guest had the disk before', { reason: errorChain(failure) });
      return absent;
    }
  }

  async #afterLoss(failure: Failure, signal: AbortSignal): Promise<AttachOutcome> {
    const { arriving, error } = failure;
    const presence = await this.#presenceOnceBack(failure, signal);
    if (presence instanceof Error) return { kind: 'stays', error: unknown(failure, presence) };
    if (isWhole(presence)) {
      const reason = errorChain(error);
      this.#parts.logger.warn("libvirt's answer to an attach was lost, and the guest has the disk", { reason });
      return {
        kind: 'attached',
        warnings: [
          arriving.wasInGuest
            ? 'the guest had it already'
            : `libvirt's answer was lost, and the guest has it: ${reason}`,
        ],
      };
    }
    if (arriving.wasInGuest || (presence.live !== 'here' && presence.config !== 'here'))
      return { kind: 'absent', error };
    const part = { live: presence.live === 'here', config: presence.config === 'here' };
    try {
      await this.#parts.guestDisks.detach(refOf(failure.guest), arriving.match, signal, part);
      return { kind: 'absent', error };
    } catch (cause) {
      return { kind: 'stays', error: incomplete(failure, part, cause) };
    }
  }

  /** @returns why nobody can say, where libvirt stays away */
  async #presenceOnceBack({ arriving, guest, wanted }: Failure, signal: AbortSignal): Promise<Presence | Error> {
    const { clock } = this.#parts;
    let failure = new Error('libvirt does not answer');
    // whatever is wrong: as long as nobody can say, the guest may have the disk
    const note = (error: unknown): undefined => {
      failure = error instanceof Error ? error : new Error(String(error));
    };
    const look = async (): Promise<Presence | undefined> => {
      try {
        if (guest.active) await this.#jobsEnded(guest, wanted, signal);
        return await this.#presenceOf(guest, arriving, wanted, signal);
      } catch (error) {
        note(error);
        return undefined;
      }
    };
    return (await pollUntil(look, { clock, timeoutMs: ANSWERS_AGAIN_MS, signal }).catch(note)) ?? failure;
  }

  /**
   * An attach may still be under way when its answer is lost. A description is read beside it, but a question for a
   * block job waits for its end, 30 s at most (libvirt, src/qemu/qemu_driver.c, qemuDomainGetBlockJobInfo: a job of its
   * own).
   * @throws {VolumeError} `LIBVIRT_REFUSED` when it has not ended by then
   */
  async #jobsEnded(guest: Domain, { targetDev }: GuestDisk, signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.libvirt.blockJob(refOf(guest), targetDev, signal);
    } catch (error) {
      if (!isVolumeError(error, 'LIBVIRT_REFUSED', 'DOMAIN_NOT_FOUND') || isBusy(error)) throw error;
    }
  }

  async #presenceOf(guest: Domain, { match }: ArrivingDisk, wanted: GuestDisk, signal: AbortSignal): Promise<Presence> {
    const { live, config } = await this.#parts.guestDisks.descriptionsOf(guest, signal);
    const partIn = (disks: readonly GuestDisk[] | undefined): Presence['live'] => {
      if (disks === undefined) return 'not asked for';
      const disk = findGuestDisk(disks, match);
      return disk !== undefined && isSame(disk, wanted, match) ? 'here' : 'missing';
    };
    return { live: partIn(live), config: partIn(config) };
  }
}

/** A guest that is no more has neither part. */
function isWhole(presence: Presence): boolean {
  const asked = [presence.live, presence.config].filter((part) => part !== 'not asked for');
  return asked.length > 0 && asked.every((part) => part === 'here');
}

/** Whether the guest has the volume's device just there, and shows it as it was to be shown. */
function isSame(disk: GuestDisk, wanted: GuestDisk, { sourcePaths }: DiskMatch): boolean {
  return (
    disk.sourcePath !== undefined &&
    sourcePaths.includes(disk.sourcePath) &&
    disk.targetDev === wanted.targetDev &&
    disk.bus === wanted.bus &&
    disk.device === wanted.device &&
    disk.serial === wanted.serial
  );
}

/** libvirt, src/conf/virdomainjob.c: "cannot acquire state change lock (held by …)". */
function isBusy({ message }: VolumeError): boolean {
  return message.includes('state change lock');
}

/** By UUID: a guest of the same name that was defined meanwhile is another guest. */
function refOf({ uuid }: Domain): DomainRef {
  return { kind: 'uuid', uuid };
}

function detailsOf({ guest: { name, uuid }, wanted: { targetDev, sourcePath } }: Failure): object {
  return { guest: name, uuid, targetDev, device: sourcePath };
}

function unknown(failure: Failure, cause: Error): VolumeError {
  const { guest, wanted, error } = failure;
  return new VolumeError(
    'CLEANUP_INCOMPLETE',
    `Cannot undo the attach: its answer was lost, and libvirt does not tell whether guest "${guest.name}" has ` +
      `${wanted.targetDev}; the volume stays on this host as ${wanted.sourcePath ?? ''}`,
    {
      cause: new AggregateError([error, cause]),
      hint: 'once libvirt answers, attach again, which finds what is done, or detach',
      details: { ...detailsOf(failure) },
    },
  );
}

function incomplete(failure: Failure, { live, config }: DeviceScope, cause: unknown): VolumeError {
  const { guest, wanted, error } = failure;
  const where = live && config ? 'both descriptions' : live ? 'the running guest' : 'its stored description';
  return new VolumeError(
    'CLEANUP_INCOMPLETE',
    `Cannot undo the attach: ${wanted.targetDev} stays in ${where} of guest "${guest.name}", and the volume on this ` +
      `host as ${wanted.sourcePath ?? ''}`,
    {
      cause: new AggregateError([error, cause]),
      hint: 'detach it once the guest answers',
      details: { ...detailsOf(failure) },
    },
  );
}
