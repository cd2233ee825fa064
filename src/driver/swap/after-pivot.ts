import { errorChain } from '../../base/error-chain.js';
import type { IscsiConnection } from '../../connection/iscsi-connection.js';
import { aliasOf, type GuestDisk } from '../../guest/guest-disk.js';
import type { GuestDisks } from '../../guest/guest-disks.js';
import { guestSourceOf, type GuestSourceParts } from '../../guest/guest-source.js';
import type { Domain, Libvirt } from '../../libvirt/libvirt.js';
import { type ConnectedVolume, sourcePathsOf } from '../../volume/connected-volume.js';
import type { HeldVolumes } from '../../volume/held-volumes.js';

export interface AfterPivotParts extends GuestSourceParts {
  readonly libvirt: Libvirt;
  readonly guestDisks: GuestDisks;
}

/** How long each step may take, whatever became of the caller's signal. */
const STEP_MS = 180_000;

/** Something that comes after the pivot: it may fail, and then it is told. */
export interface Step {
  readonly done: boolean;
  readonly warnings: readonly string[];
}

async function step(work: () => Promise<boolean>, told: (why: string) => string): Promise<Step> {
  try {
    return { done: await work(), warnings: [] };
  } catch (error) {
    return { done: false, warnings: [told(errorChain(error))] };
  }
}

/** What follows a pivot: the guest is on the new volume, and no failure here is one of the swap. */
export class AfterPivot {
  readonly #parts: AfterPivotParts;

  constructor(parts: AfterPivotParts) {
    this.#parts = parts;
  }

  /**
   * QEMU copied to as much of the new volume as the guest's disk has. libvirt 11.3 widens that while the guest runs,
   * libvirt 9.0 cannot ("Cannot resize fixed-size raw disks"): lab/scenarios/swap.ts. It is asked.
   */
  async resize(
    { uuid }: Domain,
    sliceBytes: number | undefined,
    { disk: { targetDev }, volume: { device } }: { readonly disk: GuestDisk; readonly volume: ConnectedVolume },
  ): Promise<Step> {
    if (sliceBytes === undefined) return { done: false, warnings: [] };
    return await step(
      async () => {
        await this.#parts.libvirt.blockResize(
          { kind: 'uuid', uuid },
          targetDev,
          device.sizeBytes,
          AbortSignal.timeout(STEP_MS),
        );
        return true;
      },
      (why) =>
        `the guest sees the first ${sliceBytes} of the new volume's ${device.sizeBytes} bytes until it starts ` +
        `anew: ${why}`,
    );
  }

  async store(
    domain: Domain,
    disk: GuestDisk,
    {
      to,
      old,
      volume,
    }: { readonly to: IscsiConnection; readonly old: ConnectedVolume | undefined; readonly volume: ConnectedVolume },
  ): Promise<Step> {
    const signal = AbortSignal.timeout(STEP_MS);
    const notes: string[] = [];
    const stored = await step(
      async () => {
        const { path, warnings } = domain.persistent
          ? await guestSourceOf(volume.device, { persistent: true }, this.#parts, signal)
          : { path: volume.device.path, warnings: [] };
        notes.push(...warnings);
        return await this.#parts.guestDisks.moveStored(
          domain,
          disk,
          {
            devicePath: path,
            alias: aliasOf(to),
            serial: to.serial,
            devicePaths: [...sourcePathsOf(volume), ...(old === undefined ? [] : sourcePathsOf(old))],
          },
          signal,
        );
      },
      (why) =>
        `the guest's stored description does not name the new volume; swap again, before the guest starts anew: ${why}`,
    );
    return { ...stored, warnings: [...notes, ...stored.warnings] };
  }

  async release(from: IscsiConnection, held: HeldVolumes, signal: AbortSignal): Promise<Step> {
    return await step(
      async () => {
        await held.release(from, {}, signal);
        return true;
      },
      (why) => `the old volume stays on this host; disconnect it: ${why}`,
    );
  }
}
