import { isNonEmpty, type NonEmpty } from '../base/brand.js';
import { grouped } from '../base/grouped.js';
import type { IscsiConnection } from '../connection/iscsi-connection.js';
import { formatPortal, parsePortal, type Portal, samePortal } from '../connection/portal.js';
import type { TargetPath } from '../connection/target-path.js';
import { isAmong } from '../device/disk-place.js';
import type { TargetUnit } from '../device/units-behind.js';
import type { NotedUnit, VolumeNote } from './notes/volume-note.js';

type Connection = Pick<IscsiConnection, 'paths' | 'volumeId'>;

/** The targets and LUNs that a connection names, each with its portals. */
export function unitsOf({ paths }: Pick<IscsiConnection, 'paths'>): NonEmpty<NotedUnit> {
  const [first, ...others] = grouped(paths, ({ target, lun }) => `${target} ${lun}`).map(
    ([path, ...more]): NotedUnit => ({
      target: path.target,
      lun: path.lun,
      portals: [...new Set([path, ...more].map(({ portal }) => formatPortal(portal)))],
    }),
  );
  if (first === undefined) throw new RangeError('A connection has a path');
  return [first, ...others];
}

/**
 * Where the disks of the volume may be: what the connection names, and what an earlier connect() of the same volume was
 * given.
 */
export function unitsWith(connection: Connection, note: VolumeNote | undefined): NonEmpty<TargetUnit> {
  const [first, ...others] = unitsOf(connection);
  const known = [first, ...others];
  const noted =
    note === undefined || isOfAnother(note, connection) ? [] : note.units.filter((unit) => !isAmong(known, unit));
  return [first, ...others, ...noted];
}

/** The portals through which the volume came before, and which the connection does not name now. */
export function notedPaths(connection: Connection, note: VolumeNote | undefined): readonly TargetPath[] {
  if (note === undefined || isOfAnother(note, connection)) return [];
  const paths = note.units.flatMap(({ target, lun, portals }) =>
    portals.flatMap((text): readonly TargetPath[] => {
      const portal = portalIn(text);
      return portal === undefined ? [] : [{ target, lun, portal }];
    }),
  );
  return paths.filter(
    (path) =>
      !connection.paths.some(
        (listed) => listed.target === path.target && listed.lun === path.lun && samePortal(listed.portal, path.portal),
      ),
  );
}

function portalIn(text: string): Portal | undefined {
  try {
    return parsePortal(text);
  } catch {
    return undefined; // a note is believed in nothing
  }
}

/** Whether the note is of another volume: the storage may give a LUN to one after the other. */
export function isOfAnother(note: VolumeNote, { volumeId }: Connection): boolean {
  return note.volumeId !== undefined && volumeId !== undefined && note.volumeId !== volumeId;
}

/**
 * A connection that names what was noted of a volume, and so finds all of it on this host; `undefined` where no portal
 * of it can be read.
 */
export function connectionOf({
  volumeId,
  units,
}: {
  readonly volumeId: string | undefined;
  readonly units: readonly NotedUnit[];
}): IscsiConnection | undefined {
  const paths = units.flatMap(({ target, lun, portals }) =>
    portals.flatMap((text): readonly TargetPath[] => {
      const portal = portalIn(text);
      return portal === undefined ? [] : [{ target, lun, portal }];
    }),
  );
  return isNonEmpty(paths) ? { ...NO_FACTS, volumeId, paths } : undefined;
}

/** What a note does not say, and a disconnect does not ask. */
const NO_FACTS = {
  volumeType: 'iscsi',
  serial: undefined,
  chap: undefined,
  discoveryChap: undefined,
  readonly: false,
  multiattach: false,
  namesOnePortal: false,
  enforceMultipath: false,
  discard: false,
  encrypted: false,
  logicalBlockSize: undefined,
  physicalBlockSize: undefined,
  qos: {},
  devicePath: undefined,
} as const;
