import { VolumeError } from '../base/volume-error.js';
import type { MultipathMap, ScsiDisk } from '../device/block-device.js';
import type { Session } from '../initiator/session.js';

/** A path to the volume, after it was asked for its size. */
export interface MeasuredPath {
  readonly session: Session;
  /** What the kernel shows of the disk: the size as it was before where the path is down. */
  readonly disk: ScsiDisk;
  readonly isUp: boolean;
}

export interface ExtendPlan {
  readonly sizeBytes: number;
  /** Paths that are down and must leave the map before it grows. */
  readonly leaving: readonly MeasuredPath[];
  /** The map that is to be resized, if it must be. */
  readonly resize: MultipathMap | undefined;
}

/** Whether every path that is up shows one size. */
export function agree(paths: readonly MeasuredPath[]): boolean {
  return new Set(sizesOf(paths)).size <= 1;
}

/**
 * What the sizes of the paths mean. Touches nothing.
 *
 * A path that is down and smaller stands in the way of its map: device-mapper loads no table that is larger than one of
 * its disks (Linux, drivers/md/dm-table.c, device_area_is_invalid), multipathd resizes none whose paths differ, and
 * adds no path of another size than its map's (multipath-tools, multipathd/main.c, ev_add_path).
 * @throws {VolumeError} `RESIZE_FAILED` when no path is up, they do not agree, the volume has shrunk, or no path of the
 * map is up
 */
export function planExtend(
  paths: readonly MeasuredPath[],
  map: MultipathMap | undefined,
  oldSizeBytes: number,
): ExtendPlan {
  const [sizeBytes] = sizesOf(paths);
  if (sizeBytes === undefined)
    throw failure(
      `none of its ${paths.length} paths answers`,
      oldSizeBytes,
      undefined,
      'bring a path up, then extend again',
    );
  if (!agree(paths)) {
    throw failure(
      'its paths do not agree on its size: ' +
        paths.map(({ disk }) => `${disk.path} ${disk.sizeBytes} bytes`).join(', '),
      oldSizeBytes,
      undefined,
      'the storage shows the growth at some portals only: extend again when it does at all',
    );
  }
  if (sizeBytes < oldSizeBytes) {
    throw failure(
      `it has shrunk: it had ${oldSizeBytes} bytes and has ${sizeBytes} now`,
      oldSizeBytes,
      sizeBytes,
      'have the storage give it its old size back before anything is written beyond the end',
    );
  }
  if (map === undefined || map.sizeBytes === sizeBytes) return { sizeBytes, leaving: [], resize: undefined };
  const members = paths.filter(({ disk }) => map.members.some(({ path }) => path === disk.path));
  if (!members.some(({ isUp }) => isUp))
    throw failure(
      `none of the paths of its map ${map.name} is up`,
      oldSizeBytes,
      sizeBytes,
      'connect the volume: that gives the map its paths back',
    );
  return { sizeBytes, leaving: members.filter(({ disk, isUp }) => !isUp && disk.sizeBytes !== sizeBytes), resize: map };
}

function sizesOf(paths: readonly MeasuredPath[]): readonly number[] {
  return paths.filter(({ isUp }) => isUp).map(({ disk }) => disk.sizeBytes);
}

function failure(why: string, oldSizeBytes: number, newSizeBytes: number | undefined, hint: string): VolumeError {
  const sizes = {
    oldSizeBytes: oldSizeBytes,
    ...(newSizeBytes === undefined ? {} : { newSizeBytes }),
  };
  return new VolumeError('RESIZE_FAILED', `Cannot extend the volume: ${why}`, { hint, details: sizes });
}
