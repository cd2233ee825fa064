import { readConnectionInfo } from '../../connection/read-connection-info.js';
import type { GuestSourceParts } from '../../guest/guest-source.js';
import type { HeldVolumes } from '../../volume/held-volumes.js';
import type { HostVolumes } from '../../volume/host-volumes.js';
import { withWarnings } from '../../volume/released-volume.js';
import { AfterPivot } from './after-pivot.js';
import { notLocked, notRunning, otherDisk } from './swap-errors.js';
import { isCopiedTo, requireFitting, sliceFor } from './swap-sizes.js';
import { requireSameVolume } from './require-same-volume.js';
import { requireSwappable } from './require-swappable.js';
import { type FoundDisk, SwapDiskFinder, type SwapPair } from './swap-disk-finder.js';
import { type SwapWaiter, SwapWaiters } from './swap-waiters.js';
import { throwIfAborted } from '../../base/aborted.js';
import { errorChain } from '../../base/error-chain.js';
import type { Logger } from '../../base/logger.js';
import { isVolumeError, VolumeError } from '../../base/volume-error.js';
import type { IscsiConnection } from '../../connection/iscsi-connection.js';
import type { VolumeEvents } from '../../events/volume-events.js';
import { BlockCopy, type BlockCopyRequest } from '../../guest/block-copy.js';
import type { GuestDisk } from '../../guest/guest-disk.js';
import type { GuestDisks } from '../../guest/guest-disks.js';
import type { VolumeInGuest } from '../../guest/volume-in-guest.js';
import type { Clock } from '../../host/clock.js';
import type { Domain, DomainRef, Libvirt } from '../../libvirt/libvirt.js';
import { type ConnectedVolume, sourcePathsOf } from '../../volume/connected-volume.js';
import type { OpenedVolume } from '../../volume/connect/volume-connector.js';
import type { SwapOptions, SwappedVolume, SwapProgress } from '../volume-driver.js';

export interface SwapperParts extends GuestSourceParts {
  readonly volumes: HostVolumes;
  readonly libvirt: Libvirt;
  readonly guestDisks: GuestDisks;
  readonly inGuest: VolumeInGuest;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: VolumeEvents;
}

interface SwapRequest extends SwapPair {
  readonly domain: DomainRef;
  readonly onProgress: (progress: SwapProgress) => void;
}

/** A copy that is under way, and what was known when it began: while it goes on, nothing is locked. */
interface Copying {
  readonly began: number;
  readonly pair: SwapPair;
  readonly domain: Domain;
  readonly disk: GuestDisk;
  readonly old: ConnectedVolume;
  readonly volume: ConnectedVolume;
  readonly copy: BlockCopyRequest;
  readonly waiter: SwapWaiter;
}

/** A guest that is on the new volume. */
interface Moved extends Pick<Copying, 'began' | 'pair' | 'domain' | 'disk' | 'volume'> {
  /** `undefined` where another swap has moved it. */
  readonly old: ConnectedVolume | undefined;
  readonly sliceBytes: number | undefined;
}

/** How long undoing, and what must follow a pivot, may take, whatever became of the caller's signal. */
const UNDO_MS = 180_000;

/**
 * Puts one volume in the place of another under a running guest. Before the pivot all can be undone, and is; from the
 * pivot on nothing is, and what then fails becomes a warning: the guest is on the new volume, and a rejection says that
 * it is not.
 *
 * The locks of both volumes' targets are held while something changes: from the connect to the begin of the copy, and
 * from the last look before the pivot to the end. They are not held while QEMU copies, which takes hours. QEMU has both
 * volumes open then, so that nobody can disconnect them, and libvirt lets the guest lose no disk that is copied.
 */
export class VolumeSwapper {
  readonly #parts: SwapperParts;
  readonly #copy: BlockCopy;
  readonly #finder: SwapDiskFinder;
  readonly #after: AfterPivot;
  readonly #waiters = new SwapWaiters();

  constructor(parts: SwapperParts) {
    this.#parts = parts;
    this.#copy = new BlockCopy(parts);
    this.#finder = new SwapDiskFinder(parts);
    this.#after = new AfterPivot(parts);
  }

  /** @throws {VolumeError} `DOMAIN_NOT_FOUND`, `LIBVIRT_REFUSED` for a guest that does not run */
  async #requireRunning(domain: DomainRef, signal: AbortSignal): Promise<Domain> {
    const found = await this.#parts.libvirt.lookupDomain(domain, signal);
    if (!found.active) throw notRunning(found);
    return found;
  }

  async swap(
    domain: DomainRef,
    {
      oldConnectionInfo,
      newConnectionInfo,
    }: { readonly oldConnectionInfo: unknown; readonly newConnectionInfo: unknown },
    { onProgress = () => undefined }: SwapOptions,
    signal: AbortSignal,
  ): Promise<SwappedVolume> {
    const { volumes } = this.#parts;
    const [listedFrom, listedTo] = [readConnectionInfo(oldConnectionInfo), readConnectionInfo(newConnectionInfo)];
    requireSwappable(listedFrom, listedTo);
    await this.#requireRunning(domain, signal);
    const { connection: from, notes: ofFrom } = await volumes.resolve(listedFrom, signal);
    const { connection: to, notes: ofTo } = await volumes.resolve(listedTo, signal);
    const begun = await volumes.hold(
      [from, to],
      signal,
      async (held, signal) => await this.#begin({ domain, from, to, onProgress }, held, signal),
    );
    const swapped = 'copy' in begun ? await this.#complete(begun, signal) : begun;
    return withWarnings(swapped, [...ofFrom, ...ofTo]);
  }

  /** @returns what the swap gives where an earlier one has moved the guest already: only what follows was left to do */
  async #begin(
    { domain: named, from, to, onProgress }: SwapRequest,
    held: HeldVolumes,
    signal: AbortSignal,
  ): Promise<Copying | SwappedVolume> {
    const began = this.#parts.clock.now();
    const pair = { from, to };
    const domain = await this.#requireRunning(named, signal);
    const { disk, old } = await this.#finder.find(domain, pair, held, signal);
    const { volume, opened } = await this.#open({ to, old }, held, signal);
    if (old === undefined) {
      const moved = { began, pair, domain, disk, old, volume, sliceBytes: disk.sliceBytes };
      return await this.#afterPivot(moved, held, signal);
    }
    try {
      requireFitting(disk, old, volume);
      if (!opened && !isCopiedTo(disk, volume)) await held.requireUnused('write over', to, signal);
      throwIfAborted(signal);
      const copy = {
        domain,
        targetDev: disk.targetDev,
        devicePath: volume.device.path,
        devicePaths: sourcePathsOf(volume),
        sliceBytes: sliceFor(disk, old, volume),
        onProgress: this.#guarded(onProgress),
      };
      await this.#copy.begin(copy, signal);
      const waiter = this.#waiters.join([domain.uuid, disk.targetDev, volume.device.path].join(' '), opened);
      return { began, pair, domain, disk, old, volume, copy, waiter };
    } catch (error) {
      throw opened ? await this.#undone(to, held, error) : error;
    }
  }

  /** Waits without the locks; then, under them, pivots or undoes. */
  async #complete(copying: Copying, signal: AbortSignal): Promise<SwappedVolume> {
    try {
      for (;;) {
        const failed = await failureOf(this.#copy.whenReady(copying.copy, signal));
        const swapped = await this.#end(copying, failed, signal);
        if (swapped !== undefined) return swapped;
      }
    } finally {
      copying.waiter.leave();
    }
  }

  /**
   * Ends the swap under the locks, which an undoing waits for whatever became of the caller's signal.
   * @returns `undefined` where the copy is to be waited for once more
   * @throws the failure; `CLEANUP_INCOMPLETE` where the locks are not to be had: all stays as it is
   */
  async #end(copying: Copying, failed: Failed | undefined, signal: AbortSignal): Promise<SwappedVolume | undefined> {
    const { from, to } = copying.pair;
    const lock = { isHeld: false };
    try {
      return await this.#parts.volumes.hold(
        [from, to],
        failed === undefined ? signal : new AbortController().signal,
        async (held, underLock) => {
          lock.isHeld = true;
          return await this.#endHeld(copying, failed, held, underLock);
        },
      );
    } catch (error) {
      if (lock.isHeld) throw error;
      if (failed === undefined && signal.aborted) return await this.#end(copying, { error }, signal);
      const cause = failed === undefined ? error : new AggregateError([failed.error, error]);
      throw notLocked(copying.domain, copying.disk, cause);
    }
  }

  async #endHeld(
    copying: Copying,
    failed: Failed | undefined,
    held: HeldVolumes,
    signal: AbortSignal,
  ): Promise<SwappedVolume | undefined> {
    const { disk, old, volume, waiter } = copying;
    let moved: Moved = { ...copying, sliceBytes: sliceFor(disk, old, volume) };
    try {
      if (failed !== undefined) throw failed.error;
      const outcome = await this.#pivot(copying, held, signal);
      if (outcome === 'not ready') return undefined;
      if (outcome === 'moved before') moved = { ...moved, old: undefined };
    } catch (error) {
      await this.#giveUp(copying, held, error);
    }
    waiter.leave();
    return await this.#afterPivot(moved, held, signal);
  }

  /**
   * All that was known when the copy began is looked at again: nobody has held it still since. The new volume is asked
   * anew who it is; of the old one the kernel's word counts, since a storage that fails is a reason to leave it.
   */
  async #pivot(
    { pair, domain: { uuid }, disk, old, volume, copy }: Copying,
    held: HeldVolumes,
    signal: AbortSignal,
  ): Promise<'pivoted' | 'moved before' | 'not ready'> {
    throwIfAborted(signal);
    const found = await this.#diskAgain({ kind: 'uuid', uuid }, pair, held, signal);
    if (found === undefined) return 'not ready';
    if (found.disk.targetDev !== disk.targetDev) throw otherDisk(found.guest, disk, found.disk);
    if (found.old === undefined) return 'moved before';
    await requireSameVolume({ which: 'old', before: old, find: async () => found.old });
    const now = await requireSameVolume({
      which: 'new',
      before: volume,
      find: async () => {
        const { wwid } = volume.device;
        if (wwid !== undefined) await held.verifyIdentity(pair.to, wwid, signal);
        return await held.find(pair.to);
      },
    });
    requireFitting(disk, old, now);
    throwIfAborted(signal);
    return (await this.#copy.pivot(copy)) ? 'pivoted' : 'not ready';
  }

  /** @returns `undefined` while the daemon is away: whoever waits for the copy sees whether it comes back */
  async #diskAgain(
    domain: DomainRef,
    pair: SwapPair,
    held: HeldVolumes,
    signal: AbortSignal,
  ): Promise<(FoundDisk & { readonly guest: string }) | undefined> {
    try {
      const running = await this.#requireRunning(domain, signal);
      return { ...(await this.#finder.find(running, pair, held, signal)), guest: running.name };
    } catch (error) {
      if (isVolumeError(error, 'LIBVIRT_UNAVAILABLE')) return undefined;
      throw error;
    }
  }

  /**
   * Ends the copy and takes the new volume away again, unless another call of this process waits for it.
   * @returns only when the guest is on the new volume after all
   */
  async #giveUp({ copy, pair, waiter }: Copying, held: HeldVolumes, error: unknown): Promise<void> {
    const { isLast, opened } = waiter.leave();
    if (!isLast) throw error;
    try {
      await this.#copy.backOut(copy, error);
    } catch (failure) {
      throw opened ? await this.#undone(pair.to, held, failure) : failure;
    }
  }

  async #afterPivot(
    { began, pair: { from, to }, domain, disk, old, volume, sliceBytes }: Moved,
    held: HeldVolumes,
    signal: AbortSignal,
  ): Promise<SwappedVolume> {
    const resized = await this.#after.resize(domain, sliceBytes, { disk, volume });
    const stored = await this.#after.store(domain, disk, { to, old, volume });
    const released = await this.#after.release(from, held, signal);
    const swapped = {
      volume,
      guestResized: resized.done,
      oldReleased: released.done,
      warnings: [...volume.warnings, ...resized.warnings, ...stored.warnings, ...released.warnings],
    };
    for (const reason of [...resized.warnings, ...stored.warnings, ...released.warnings])
      this.#parts.logger.warn('A swap is not complete', { guest: domain.name, targetDev: disk.targetDev, reason });
    this.#tell(swapped, old, this.#parts.clock.now() - began);
    return swapped;
  }

  #tell({ volume: { device }, ...swapped }: SwappedVolume, old: ConnectedVolume | undefined, durationMs: number): void {
    this.#parts.events.emit({
      kind: 'volume-swapped',
      oldWwid: old?.device.wwid,
      wwid: device.wwid,
      device: device.path,
      guestResized: swapped.guestResized,
      oldReleased: swapped.oldReleased,
      durationMs,
    });
  }

  /** A volume that has the old one's WWID is the old one, through another target. */
  async #open(
    { to, old }: { readonly to: IscsiConnection; readonly old: ConnectedVolume | undefined },
    held: HeldVolumes,
    signal: AbortSignal,
  ): Promise<OpenedVolume> {
    try {
      return await held.open(to, signal);
    } catch (error) {
      const wwid = old?.device.wwid;
      if (wwid === undefined || !isVolumeError(error, 'DEVICE_MISMATCH') || error.details.wwid !== wwid) throw error;
      throw new VolumeError('USAGE', `Cannot swap a volume for itself: both are ${wwid}`, { cause: error });
    }
  }

  /**
   * The error to throw: the first one, with what could not be undone beside it. A new volume that QEMU still has open
   * stays: it is in use.
   */
  async #undone(to: IscsiConnection, held: HeldVolumes, first: unknown): Promise<unknown> {
    try {
      await held.release(to, {}, AbortSignal.timeout(UNDO_MS));
      return first;
    } catch (failure) {
      return new VolumeError('CLEANUP_INCOMPLETE', 'Cannot undo a failed swap in full', {
        cause: new AggregateError([first, failure]),
        hint: 'disconnect the new volume once the guest does not have it open',
      });
    }
  }

  /** A listener's mistake does not undo a copy. */
  #guarded(onProgress: SwapRequest['onProgress']): SwapRequest['onProgress'] {
    return (progress) => {
      try {
        onProgress(progress);
      } catch (error) {
        this.#parts.logger.warn('A listener to the progress of a swap failed', { reason: errorChain(error) });
      }
    };
  }
}

/** What a wait rejected with. */
interface Failed {
  readonly error: unknown;
}

async function failureOf(work: Promise<void>): Promise<Failed | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return { error };
  }
}
