import { isNonEmpty, type NonEmpty } from '../base/brand.js';
import type { Logger } from '../base/logger.js';
import { VolumeError } from '../base/volume-error.js';
import type { VolumeOptions } from '../config/options.js';
import type { IscsiConnection } from '../connection/iscsi-connection.js';
import type { Lun } from '../connection/lun.js';
import { formatPortal } from '../connection/portal.js';
import type { BlockDevice, DevicePath, MultipathMap, ScsiDisk } from '../device/block-device.js';
import type { Clock } from '../host/clock.js';
import { isStuckWrite } from '../host/kernel-writes.js';
import type { IfaceName } from '../iface/iface-name.js';
import type { Session } from '../initiator/session.js';
import { sourcePathsOf } from './connected-volume.js';
import { type ObserverParts, observeVolume, type VolumeView } from './observe-volume.js';
import { agree, type ExtendPlan, type MeasuredPath, planExtend } from './plan-extend.js';
import { requireMadeOf, requireOneVolume } from './require-one-volume.js';
import { requireOwnMap } from './strange-members.js';
import { wantedMap } from './wanted-map.js';

export interface ExtenderParts extends ObserverParts {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly options: Pick<VolumeOptions, 'useMultipath' | 'deviceTimeoutMs'>;
}

/** The host's part of an extension. */
export interface ExtendedDevice {
  readonly device: BlockDevice;
  readonly oldSizeBytes: number;
  /** Every name that a guest's description may have for it. */
  readonly sourcePaths: readonly DevicePath[];
  readonly warnings: readonly string[];
}

/** The first pause between two looks at paths that do not agree; each next one is twice as long. */
const FIRST_PAUSE_MS = 500;

/**
 * Brings the host to the size that the storage has given a volume: measure, plan, execute. Everything here runs under
 * the locks of the connection's targets.
 */
export class VolumeExtender {
  readonly #parts: ExtenderParts;

  constructor(parts: ExtenderParts) {
    this.#parts = parts;
  }

  async extend(
    connection: IscsiConnection,
    ifaces: readonly IfaceName[],
    signal: AbortSignal,
  ): Promise<ExtendedDevice> {
    const view = await observeVolume(connection, ifaces, this.#parts);
    const present = presentOf(view);
    if (!isNonEmpty(present))
      throw new VolumeError('DEVICE_NOT_FOUND', 'Cannot extend the volume: it is not connected to this host', {
        hint: 'connect it: that shows it at its size',
      });
    requireOwnMap('extend', view);
    requireOneVolume(present.map(({ disk }) => disk));
    const before = wantedMap(view, present.length, this.#parts.options) ?? present[0].disk;
    const paths = await this.#measureUntilTheyAgree(present, signal);
    requireOneVolume([...present, ...paths].map(({ disk }) => disk));
    requireMadeOf(
      view,
      paths.map(({ disk }) => disk),
    );
    const plan = planExtend(paths, view.map, before.sizeBytes);
    const map = await this.#execute(plan, paths, view.map, signal);
    const first = paths.find(({ isUp }) => isUp) ?? paths[0];
    const device = before.kind === 'multipath' && map !== undefined ? map : first.disk;
    const warnings = warningsOf(plan, paths);
    for (const reason of warnings) this.#parts.logger.warn('Not every path of the volume was extended', { reason });
    return {
      device,
      oldSizeBytes: before.sizeBytes,
      sourcePaths: sourcePathsOf({ device, paths: present.map(({ disk }) => ({ disk: disk.path })) }),
      warnings,
    };
  }

  /** Arrays with several controllers show growth at one before the other. */
  async #measureUntilTheyAgree(present: NonEmpty<PresentPath>, signal: AbortSignal): Promise<NonEmpty<MeasuredPath>> {
    const { clock, options } = this.#parts;
    const deadline = clock.now() + options.deviceTimeoutMs;
    for (let pause = FIRST_PAUSE_MS; ; pause *= 2) {
      const [first, ...others] = present;
      const [one, ...more] = await Promise.all([
        this.#measure(first, signal),
        ...others.map(async (path) => await this.#measure(path, signal)),
      ]);
      const paths: NonEmpty<MeasuredPath> = [one, ...more];
      if (agree(paths) || clock.now() >= deadline) return paths;
      await clock.sleep(Math.min(pause, Math.max(0, deadline - clock.now())), signal);
    }
  }

  /**
   * A path whose session is not up is not asked: the kernel ends the rescan of a blocked disk without an answer, and
   * its size would stay.
   */
  async #measure({ session, disk, lun }: PresentPath, signal: AbortSignal): Promise<MeasuredPath> {
    if (session.state !== 'LOGGED_IN') return { session, disk, isUp: false };
    try {
      const now = await this.#parts.devices.refresh(session, lun, disk, signal);
      return { session, disk: now ?? disk, isUp: now !== undefined };
    } catch (error) {
      if (!isStuckWrite(error)) throw error;
      return { session, disk, isUp: false };
    }
  }

  async #execute(
    { sizeBytes, leaving, resize }: ExtendPlan,
    paths: readonly MeasuredPath[],
    map: MultipathMap | undefined,
    signal: AbortSignal,
  ): Promise<MultipathMap | undefined> {
    const { devices, maps } = this.#parts;
    if (map === undefined) return undefined;
    for (const { session, disk } of leaving) await devices.remove(session, disk.address, signal);
    if (leaving.length > 0)
      await maps.waitForPathRemoval(
        map,
        leaving.map(({ disk }) => disk.path),
        signal,
      );
    const resized = resize === undefined ? map : await maps.resize(resize, sizeBytes, signal);
    return await maps.join(
      resized,
      paths.filter(({ isUp }) => isUp).map(({ disk }) => disk),
      signal,
    );
  }
}

interface PresentPath {
  readonly session: Session;
  readonly lun: Lun;
  readonly disk: ScsiDisk;
}

function presentOf({ paths }: VolumeView): readonly PresentPath[] {
  return paths.flatMap(({ session, lun, unit }) =>
    session === undefined || unit?.disk === undefined ? [] : [{ session, lun, disk: unit.disk }],
  );
}

function warningsOf({ leaving }: ExtendPlan, paths: readonly MeasuredPath[]): readonly string[] {
  return paths
    .filter(({ isUp }) => !isUp)
    .map((path) => {
      const place = `${formatPortal(path.session.portal)} over ${path.session.iface}`;
      const becomes = leaving.includes(path)
        ? 'left the map, which is larger now; connect the volume again once the portal is back'
        : 'keeps its old size until its session is back';
      return `${place}: ${path.disk.path} is down and ${becomes}`;
    });
}
