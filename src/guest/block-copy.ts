import type { Logger } from '../base/logger.js';
import { shellWords } from '../base/quoted.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { Clock } from '../host/clock.js';
import type { BlockJob, Domain, DomainRef, Libvirt } from '../libvirt/libvirt.js';
import type { GuestDisk } from './guest-disk.js';
import { copyTargetXml } from './moved-disk-xml.js';
import { parseGuestDisks } from './parse-guest-disks.js';
import { Pause } from './pause.js';

export interface DiskMoverParts {
  readonly libvirt: Libvirt;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How far a copy has come. */
export interface CopyProgress {
  readonly copiedBytes: number;
  /** Grows while the guest writes to what was copied already. */
  readonly totalBytes: number;
}

export interface BlockCopyRequest {
  /** A guest that runs. */
  readonly domain: Domain;
  /** The disk's target, such as `vdb`. */
  readonly targetDev: string;
  /** The device that the guest shall be on. */
  readonly devicePath: string;
  /** Every path by which a description may name that device. */
  readonly devicePaths: readonly string[];
  /** How much of that device the disk will be, where the device is larger than the disk. */
  readonly sliceBytes: number | undefined;
  readonly onProgress: (progress: CopyProgress) => void;
}

/** Where the guest's disk is. `copying`: on its old device, and written to the new one as well. */
type Place =
  | { readonly kind: 'there' }
  | { readonly kind: 'copying'; readonly state: 'copying' | 'yes' | 'pivot' | 'abort' }
  | { readonly kind: 'elsewhere'; readonly disk: GuestDisk | undefined };

/**
 * What is left to copy must become less within this time: a device that does not answer holds a write for the session's
 * replacement timeout, 120 s, and a guest that writes faster than can be copied never lets it end.
 */
const WITHOUT_GAIN_MS = 300_000;
/**
 * How long beginning, ending and pivoting may take, whatever the caller's signal says: cut short, nobody would know
 * what became of them.
 */
const STEP_MS = 180_000;

/**
 * Moves a running guest's disk to another device while the guest uses it, step by step: begin a block copy, wait for
 * it, pivot. The guest's own description tells after each step where the disk is. A copy to the same device that
 * somebody began, such as a process that is no more, is gone on with.
 */
export class BlockCopy {
  readonly #libvirt: Libvirt;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor({ libvirt, clock, logger }: DiskMoverParts) {
    this.#libvirt = libvirt;
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * @throws {VolumeError} `LIBVIRT_REFUSED`, also where another job works on the disk; `LIBVIRT_UNAVAILABLE`,
   *   `ABORTED`; what backOut() throws
   */
  async begin(move: BlockCopyRequest, signal: AbortSignal): Promise<void> {
    const place = await this.#look(move, signal);
    if (place.kind === 'there') return;
    if (place.kind === 'elsewhere' && place.disk?.mirror !== undefined) throw otherJob(move, place.disk);
    try {
      if (place.kind === 'elsewhere')
        await this.#libvirt.blockCopy(
          refOf(move),
          move.targetDev,
          copyTargetXml(move.devicePath, move.sliceBytes),
          limit(),
        );
    } catch (error) {
      await this.backOut(move, error);
      return;
    }
    this.#logger.info('Copying a disk of the guest', {
      guest: move.domain.name,
      targetDev: move.targetDev,
      to: move.devicePath,
      goesOn: place.kind === 'copying',
    });
  }

  /**
   * Waits, and changes nothing, until there is something to do: all is copied, or somebody else has ended the copy or
   * pivoted. A daemon that restarts is waited for: QEMU copies on meanwhile.
   * @throws {VolumeError} `COPY_FAILED` when the copy gets nowhere; `LIBVIRT_REFUSED`, `DOMAIN_NOT_FOUND`, `ABORTED`
   */
  async whenReady(move: BlockCopyRequest, signal: AbortSignal): Promise<void> {
    const pause = new Pause(this.#clock);
    let least: number | undefined;
    for (let deadline = this.#clock.now() + WITHOUT_GAIN_MS; ;) {
      const job = await this.#job(move, signal);
      if (typeof job === 'object') {
        move.onProgress({ copiedBytes: job.copiedBytes, totalBytes: job.totalBytes });
        const left = job.totalBytes - job.copiedBytes;
        if (left <= 0 && !(await this.#isUnderWay(move, signal))) return;
        if (least === undefined || left < least) {
          least = left;
          deadline = this.#clock.now() + WITHOUT_GAIN_MS;
        }
      } else if (job === 'none' && !(await this.#isUnderWay(move, signal))) return;
      if (this.#clock.now() >= deadline) throw stalled(move, least);
      await pause.take(deadline, signal);
    }
  }

  /**
   * Has the guest on the new device. That the call returned proves nothing, and neither does that it failed: an answer
   * may be lost.
   * @returns false, and nothing is changed, where the copy is not complete (it is another one than was waited for) or
   * the daemon is away
   * @throws {VolumeError} `COPY_FAILED` when there is no copy any more; what the pivot was refused with
   */
  async pivot(move: BlockCopyRequest): Promise<boolean> {
    const before = await this.#lookIfBack(move, limit());
    if (before === undefined || (before.kind === 'copying' && before.state === 'copying')) return false;
    if (before.kind === 'elsewhere') throw ended(move);
    if (before.kind === 'copying') await this.#pivot(move);
    this.#logger.info('Moved a disk of the guest to another device', {
      guest: move.domain.name,
      targetDev: move.targetDev,
      to: move.devicePath,
    });
    return true;
  }

  /**
   * Has the guest on its old device alone, unless it turns out to be on the new one already: then it returns.
   * @throws the first failure, or `CLEANUP_INCOMPLETE` with it and what could not be ended: where libvirt stays away
   *   nobody can say, and the guest may have both devices open
   */
  async backOut(move: BlockCopyRequest, first: unknown): Promise<void> {
    const isThere = await this.#endCopy(move).catch((failure: unknown) => {
      throw new VolumeError(
        'CLEANUP_INCOMPLETE',
        `Cannot end the copy of ${move.targetDev} of guest "${move.domain.name}" to ${move.devicePath}`,
        {
          cause: new AggregateError([first, failure]),
          hint: `end it: virsh blockjob ${shellWords(move.domain.name, move.targetDev)} --abort`,
        },
      );
    });
    if (!isThere) throw first;
  }

  /** @returns `undefined` while the daemon is away */
  async #job(move: BlockCopyRequest, signal: AbortSignal): Promise<BlockJob | 'none' | undefined> {
    try {
      return (await this.#libvirt.blockJob(refOf(move), move.targetDev, signal)) ?? 'none';
    } catch (error) {
      if (isVolumeError(error, 'LIBVIRT_UNAVAILABLE')) return undefined;
      throw error;
    }
  }

  /** Also while nobody can say. A copy that is ending is looked at until it has ended. */
  async #isUnderWay(move: BlockCopyRequest, signal: AbortSignal): Promise<boolean> {
    const place = await this.#lookIfBack(move, signal);
    return place === undefined || (place.kind === 'copying' && place.state !== 'yes');
  }

  async #pivot(move: BlockCopyRequest): Promise<void> {
    const refusal = await refusalOf(this.#libvirt.blockJobAbort(refOf(move), move.targetDev, { pivot: true }, limit()));
    const pause = new Pause(this.#clock);
    for (const deadline = this.#clock.now() + STEP_MS; ;) {
      const place = await this.#lookIfBack(move, limit());
      if (place?.kind === 'there') return;
      if (place?.kind === 'elsewhere') throw refusal ?? ended(move);
      if (isVolumeError(refusal, 'LIBVIRT_REFUSED') || this.#clock.now() >= deadline) throw refusal ?? unpivoted(move);
      await pause.take(deadline, new AbortController().signal);
    }
  }

  /** @returns whether the guest is on the new device after all */
  async #endCopy(move: BlockCopyRequest): Promise<boolean> {
    let failure: VolumeError | undefined;
    const pause = new Pause(this.#clock);
    for (const deadline = this.#clock.now() + STEP_MS; ;) {
      const place = await this.#lookIfBack(move, limit());
      if (place !== undefined && place.kind !== 'copying') return place.kind === 'there';
      if (this.#clock.now() >= deadline) throw failure ?? unpivoted(move);
      // Asked once more after a refusal: the copy may have been about to end by itself.
      if (place?.state === 'copying' || place?.state === 'yes')
        failure = await refusalOf(this.#libvirt.blockJobAbort(refOf(move), move.targetDev, { pivot: false }, limit()));
      await pause.take(deadline, new AbortController().signal);
    }
  }

  /** @returns `undefined` while the daemon is away */
  async #lookIfBack(move: BlockCopyRequest, signal: AbortSignal): Promise<Place | undefined> {
    try {
      return await this.#look(move, signal);
    } catch (error) {
      if (isVolumeError(error, 'LIBVIRT_UNAVAILABLE')) return undefined;
      throw error;
    }
  }

  async #look({ domain, targetDev, devicePaths }: BlockCopyRequest, signal: AbortSignal): Promise<Place> {
    const disk = (await this.#disks(domain, signal)).find((candidate) => candidate.targetDev === targetDev);
    if (disk?.sourcePath !== undefined && devicePaths.includes(disk.sourcePath)) return { kind: 'there' };
    const { sourcePath, state } = disk?.mirror ?? {};
    return sourcePath !== undefined && state !== undefined && devicePaths.includes(sourcePath)
      ? { kind: 'copying', state }
      : { kind: 'elsewhere', disk };
  }

  /** A transient guest that has ended has none. */
  async #disks({ uuid }: Domain, signal: AbortSignal): Promise<readonly GuestDisk[]> {
    try {
      return parseGuestDisks(await this.#libvirt.domainXml({ kind: 'uuid', uuid }, 'live', signal));
    } catch (error) {
      if (isVolumeError(error, 'DOMAIN_NOT_FOUND')) return [];
      throw error;
    }
  }
}

function refOf({ domain: { uuid } }: BlockCopyRequest): DomainRef {
  return { kind: 'uuid', uuid };
}

/** @returns what the call failed with, `undefined` when it did not */
async function refusalOf(call: Promise<void>): Promise<VolumeError | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (isVolumeError(error)) return error;
    throw error;
  }
}

function limit(): AbortSignal {
  return AbortSignal.timeout(STEP_MS);
}

function otherJob({ domain, targetDev }: BlockCopyRequest, { mirror }: GuestDisk): VolumeError {
  return new VolumeError(
    'LIBVIRT_REFUSED',
    `Cannot copy ${targetDev} of guest "${domain.name}": it is being copied to ` +
      `${mirror?.sourcePath ?? 'another place'} already`,
    {
      hint: `wait for it, or end it: virsh blockjob ${shellWords(domain.name, targetDev)} --abort`,
      details: { guest: domain.name, targetDev },
    },
  );
}

function ended({ domain, targetDev, devicePath }: BlockCopyRequest): VolumeError {
  return new VolumeError(
    'COPY_FAILED',
    `Cannot copy ${targetDev} of guest "${domain.name}" to ${devicePath}: the copy ended before it was complete`,
    {
      hint:
        'the guest goes on with its old disk; the kernel tells of an I/O error in dmesg; if the old volume has ' +
        'grown and the guest was not told, extend it first',
      details: { guest: domain.name, targetDev, device: devicePath },
    },
  );
}

function stalled({ domain, targetDev, devicePath }: BlockCopyRequest, left: number | undefined): VolumeError {
  return new VolumeError(
    'COPY_FAILED',
    `Cannot copy ${targetDev} of guest "${domain.name}" to ${devicePath}: ` +
      `${left === undefined ? 'libvirt does not tell how far it is' : `never less than ${left} bytes are left`} for ` +
      `${WITHOUT_GAIN_MS / 1000} s`,
    {
      hint: 'a device does not answer, or the guest writes faster than can be copied: try again when it writes less',
      details: {
        guest: domain.name,
        targetDev,
        device: devicePath,
        ...(left === undefined ? {} : { bytesLeft: left }),
      },
    },
  );
}

function unpivoted({ domain, targetDev, devicePath }: BlockCopyRequest): VolumeError {
  return new VolumeError(
    'COPY_FAILED',
    `Cannot move ${targetDev} of guest "${domain.name}" to ${devicePath}: the guest is not seen on it after ` +
      `${STEP_MS / 1000} s`,
    { details: { guest: domain.name, targetDev, device: devicePath } },
  );
}
