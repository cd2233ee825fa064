import { readConnectionInfo } from '../connection/read-connection-info.js';
import type { GuestSourceParts } from '../guest/guest-source.js';
import type { HeldVolumes } from '../volume/held-volumes.js';
import type { HostVolumes } from '../volume/host-volumes.js';
import { withWarnings } from '../volume/released-volume.js';
import { AfterPivot } from './after-pivot.js';
import { isCopiedTo, requireFitting, sliceFor } from './swap-sizes.js';
import { requireSwappable } from './require-swappable.js';
import { throwIfAborted } from '../base/aborted.js';
import { errorChain } from '../base/error-chain.js';
import type { Logger } from '../base/logger.js';
import { shellWords } from '../base/quoted.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { IscsiConnection } from '../connection/iscsi-connection.js';
import type { VolumeEvents } from '../events/volume-events.js';
import { BlockCopy } from '../guest/block-copy.js';
import { findLiveDisk, type GuestDisk } from '../guest/guest-disk.js';
import type { GuestDisks } from '../guest/guest-disks.js';
import type { VolumeInGuest } from '../guest/volume-in-guest.js';
import type { Clock } from '../host/clock.js';
import type { Domain, DomainRef, Libvirt } from '../libvirt/libvirt.js';
import { type ConnectedVolume, sourcePathsOf } from '../volume/connected-volume.js';
import type { OpenedVolume } from '../volume/connect/volume-connector.js';
import type { SwapOptions, SwappedVolume, SwapProgress } from './volume-driver.js';

export interface SwapperParts extends GuestSourceParts {
  readonly volumes: HostVolumes;
  readonly libvirt: Libvirt;
  readonly guestDisks: GuestDisks;
  readonly inGuest: VolumeInGuest;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: VolumeEvents;
}

interface SwapRequest {
  readonly domain: DomainRef;
  readonly from: IscsiConnection;
  readonly to: IscsiConnection;
  readonly onProgress: (progress: SwapProgress) => void;
}

/** What the guest has, before anything is done. */
interface Before {
  readonly disk: GuestDisk;
  /** The old volume on this host; `undefined` where an earlier swap has moved the guest already. */
  readonly old: ConnectedVolume | undefined;
}

/** How long undoing, and what must follow a pivot, may take, whatever became of the caller's signal. */
const UNDO_MS = 180_000;

/**
 * Puts one volume in the place of another under a running guest. Before the pivot all can be undone, and is; from the
 * pivot on nothing is, and what then fails becomes a warning: the guest is on the new volume, and a rejection says that
 * it is not. Everything here runs under the locks of both volumes' targets.
 */
export class VolumeSwapper {
  readonly #parts: SwapperParts;
  readonly #mover: BlockCopy;
  readonly #after: AfterPivot;

  constructor(parts: SwapperParts) {
    this.#parts = parts;
    this.#mover = new BlockCopy(parts);
    this.#after = new AfterPivot(parts);
  }

  /** @throws {VolumeError} `DOMAIN_NOT_FOUND`, `LIBVIRT_REFUSED` for a guest that does not run */
  async #requireRunning(domain: DomainRef, signal: AbortSignal): Promise<Domain> {
    const found = await this.#parts.libvirt.lookupDomain(domain, signal);
    if (found.active) return found;
    throw new VolumeError(
      'LIBVIRT_REFUSED',
      `Cannot swap a volume of guest "${found.name}": it does not run, and only a running guest copies its disk`,
      {
        hint: 'copy the volume at the storage, then detach the old one and attach the new one',
        details: { guest: found.name },
      },
    );
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
    const swapped = await volumes.hold(
      [from, to],
      signal,
      async (held, signal) => await this.#swap({ domain, from, to, onProgress }, held, signal),
    );
    return withWarnings(swapped, [...ofFrom, ...ofTo]);
  }

  async #swap(
    { domain: named, from, to, onProgress }: SwapRequest,
    held: HeldVolumes,
    signal: AbortSignal,
  ): Promise<SwappedVolume> {
    const began = this.#parts.clock.now();
    const domain = await this.#requireRunning(named, signal);
    const { disk, old } = await this.#before(domain, { from, to }, held, signal);
    const { volume, opened } = await this.#open({ to, old }, held, signal);
    try {
      if (old !== undefined) requireFitting(disk, old, volume);
      if (old !== undefined && !opened && !isCopiedTo(disk, volume)) await held.requireUnused('write over', to, signal);
      throwIfAborted(signal);
      await this.#mover.move(
        {
          domain,
          targetDev: disk.targetDev,
          devicePath: volume.device.path,
          devicePaths: sourcePathsOf(volume),
          sliceBytes: old === undefined ? undefined : sliceFor(disk, old, volume),
          onProgress: this.#guarded(onProgress),
        },
        signal,
      );
    } catch (error) {
      throw opened ? await this.#undone(to, held, error) : error;
    }
    const resized = await this.#after.resize(
      domain,
      old === undefined ? disk.sliceBytes : sliceFor(disk, old, volume),
      { disk, volume },
    );
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

  /** A guest that is on the new volume already is what an earlier swap has left that did not come to its end. */
  async #before(
    domain: Domain,
    { from, to }: Pick<SwapRequest, 'from' | 'to'>,
    held: HeldVolumes,
    signal: AbortSignal,
  ): Promise<Before> {
    const [there, old] = [await held.find(to), await held.find(from)];
    const moved = there === undefined ? undefined : await this.#diskOn(domain, to, there, signal);
    if (moved !== undefined) {
      await this.#requireOneOfThem(domain, moved, old, signal);
      return { disk: moved, old: undefined };
    }
    if (old === undefined)
      throw new VolumeError('DEVICE_NOT_FOUND', 'Cannot swap the volume: the old one is not connected to this host', {
        hint: 'attach the new one: the guest cannot have the old one',
      });
    const disk = await this.#diskOn(domain, from, old, signal);
    if (disk === undefined)
      throw new VolumeError(
        'DEVICE_NOT_FOUND',
        `Cannot swap the volume: guest "${domain.name}" does not have the old one`,
        {
          hint: `attach the new one; virsh domblklist ${shellWords(domain.name)} shows what the guest has`,
          details: { guest: domain.name },
        },
      );
    if (disk.device === 'lun') {
      throw new VolumeError(
        'DISK_INFO_INVALID',
        `Cannot swap the volume: ${disk.targetDev} of guest "${domain.name}" is of type lun: its requests go past ` +
          'QEMU, which would copy',
        { hint: 'detach the old one and attach the new one', details: { key: 'type' } },
      );
    }
    return { disk, old };
  }

  /** A guest that has both has the new one as a disk of its own. */
  async #requireOneOfThem(
    { uuid, name }: Domain,
    { targetDev }: GuestDisk,
    old: ConnectedVolume | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const disks = await this.#parts.guestDisks.liveDisks({ kind: 'uuid', uuid }, signal);
    const paths: readonly string[] = old === undefined ? [] : sourcePathsOf(old);
    if (!disks.some(({ sourcePath }) => sourcePath !== undefined && paths.includes(sourcePath))) return;
    throw new VolumeError(
      'DEVICE_IN_USE',
      `Cannot swap the volume: guest "${name}" has the new one too, as ${targetDev}`,
      { hint: 'detach the new volume first: what is on it will be written over', details: { guest: name, targetDev } },
    );
  }

  /** The running guest's disk that is on the volume's device. */
  async #diskOn(
    domain: Domain,
    connection: IscsiConnection,
    volume: ConnectedVolume,
    signal: AbortSignal,
  ): Promise<GuestDisk | undefined> {
    const { guestDisks, inGuest } = this.#parts;
    const ref = { kind: 'uuid', uuid: domain.uuid } as const;
    const paths: readonly string[] = sourcePathsOf(volume);
    const disk = findLiveDisk(
      await guestDisks.liveDisks(ref, signal),
      await inGuest.match(ref, connection, paths, signal),
    );
    return disk?.sourcePath !== undefined && paths.includes(disk.sourcePath) ? disk : undefined;
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
