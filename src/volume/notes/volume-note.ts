import { isNonEmpty, type NonEmpty } from '../../base/brand.js';
import { asList, asTable, type JsonTable, textOf } from '../../base/json-fields.js';
import { parseTargetName } from '../../connection/target-name.js';
import type { MapId } from '../../device/block-device.js';
import { parseMapId } from '../../device/multipath/multipathd.js';
import type { TargetUnit } from '../../device/units-behind.js';
import type { Wwid } from '../../device/wwid.js';
import type { ProcessIdentity } from '../../host/processes.js';

/** Where a volume was, by the connection_info that it came with. */
export interface NotedUnit extends TargetUnit {
  /** The portals that were named or discovered, as `192.0.2.10:3260`. */
  readonly portals: readonly string[];
}

/**
 * What must be known of a volume on this host once none of its disks is there to tell: who it was, and which map is
 * its.
 */
export interface VolumeNote {
  /** The storage service's id; `undefined` where the connection_info had none. */
  readonly volumeId: string | undefined;
  /** Of the disks, by VPD page 0x83, as the kernel read it when the volume was connected. */
  readonly wwid: Wwid;
  /** What multipathd calls it; `undefined` for a volume of which no map was asked for. */
  readonly mapId: MapId | undefined;
  readonly units: NonEmpty<NotedUnit>;
  /** The process that connected it last; `undefined` in a note of an older version. */
  readonly owner: ProcessIdentity | undefined;
}

const VERSION = 1;

export function formatVolumeNote({ volumeId, wwid, mapId, units, owner }: VolumeNote): string {
  const note = {
    version: VERSION,
    ...(volumeId === undefined ? {} : { volumeId }),
    wwid,
    ...(mapId === undefined ? {} : { mapId }),
    units,
    ...(owner === undefined ? {} : { owner }),
  };
  return `${JSON.stringify(note, undefined, 2)}\n`;
}

/**
 * Reads what formatVolumeNote() wrote, and believes nothing: another program, a newer version or a full disk may have
 * written the file.
 * @throws {SyntaxError} that says what is wrong with it
 */
export function parseVolumeNote(text: string): VolumeNote {
  const file = asTable(JSON.parse(text), 'the file');
  if (file['version'] !== VERSION) throw new SyntaxError(`version is not ${VERSION}`);
  const units = parseUnits(file);
  const wwid = textOf(file, 'wwid');
  if (wwid === '' || /\p{Cc}/u.test(wwid)) throw new SyntaxError('wwid is no WWID');
  const mapId = file['mapId'] === undefined ? undefined : parseMapId(textOf(file, 'mapId'));
  if (file['mapId'] !== undefined && mapId === undefined) throw new SyntaxError('mapId is none of multipathd');
  return {
    volumeId: file['volumeId'] === undefined ? undefined : textOf(file, 'volumeId'),
    wwid: wwid as Wwid,
    mapId,
    units,
    owner: parseOwner(file),
  };
}

/** @throws {SyntaxError} */
export function parseUnits(file: JsonTable): NonEmpty<NotedUnit> {
  const units = asList(file['units'], 'units').map(parseUnit);
  if (!isNonEmpty(units)) throw new SyntaxError('units is empty');
  return units;
}

/** @throws {SyntaxError} */
export function parseOwner(file: JsonTable): ProcessIdentity | undefined {
  if (file['owner'] === undefined) return undefined;
  const owner = asTable(file['owner'], 'owner');
  const { pid } = owner;
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 1) throw new SyntaxError('pid is no process');
  return {
    bootId: textOf(owner, 'bootId'),
    namespaces: textOf(owner, 'namespaces'),
    pid,
    start: textOf(owner, 'start'),
  };
}

export function sameVolumeNote(one: VolumeNote, other: VolumeNote): boolean {
  return formatVolumeNote(one) === formatVolumeNote(other);
}

function parseUnit(value: unknown): NotedUnit {
  const unit = asTable(value, 'a unit');
  const { lun } = unit;
  if (typeof lun !== 'number' || !Number.isSafeInteger(lun) || lun < 0) throw new SyntaxError('lun is no LUN');
  const portals = asList(unit['portals'], 'portals').map((portal) => {
    if (typeof portal !== 'string') throw new SyntaxError('a portal is not a text');
    return portal;
  });
  return { target: parseTargetName(textOf(unit, 'target')), lun: lun as NotedUnit['lun'], portals };
}
