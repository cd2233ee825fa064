import type { MapId, MultipathMap, ScsiDisk } from '../../device/block-device.js';
import { strangersAmong } from '../../device/disk-place.js';
import { kernelNameOf } from '../../device/multipath/read-map.js';
import { findNamesakes } from '../../device/namesakes.js';
import { parseMapId } from '../../device/multipath/multipathd.js';
import type { MultipathMaps } from '../../device/multipath/multipath-maps.js';
import type { FileSystem } from '../../host/file-system.js';
import type { VolumeView } from '../observe-volume.js';
import { mapOfAnother, sameWwidElsewhere, strangeMembers } from '../strange-members.js';

export interface GuardParts {
  readonly files: FileSystem;
  readonly maps: MultipathMaps;
}

/**
 * Keeps one volume apart from all others of the host while it is connected: two storage hosts may give one WWID to two
 * volumes (tgt's default ids, appliances that were cloned), and whatever goes by the WWID, multipathd first of all,
 * takes them for two paths of one. One guard is of one call.
 */
export class VolumeGuard {
  readonly #view: VolumeView;
  readonly #parts: GuardParts;
  readonly #looks = new Map<string, Promise<void>>();
  /** The device-mapper devices that were there before the first disk of this call was let on. */
  #before: ReadonlySet<string> | undefined;

  constructor(view: VolumeView, parts: GuardParts) {
    this.#view = view;
    this.#parts = parts;
  }

  /**
   * Looks as soon as a new disk is there: multipathd takes it only once udev has named it. One look is for all paths of
   * the call.
   * @throws {VolumeError} `DEVICE_MISMATCH` for a disk whose WWID is that of a disk, or of a map in use, which is none
   * of the volume's
   */
  async requireAlone(disk: ScsiDisk, signal: AbortSignal): Promise<void> {
    const key = disk.wwid ?? '';
    const look = this.#looks.get(key) ?? this.#look(disk, signal);
    this.#looks.set(key, look);
    await look;
  }

  /**
   * @throws {VolumeError} `DEVICE_MISMATCH` for a map with other disks below it, or one that another volume's guest
   * waits on
   */
  async requireOwn(map: MultipathMap, disk: ScsiDisk, signal: AbortSignal): Promise<void> {
    const strangers = await this.#parts.maps.strangersIn(map, this.#view.units);
    if (strangers.length > 0) throw strangeMembers('connect', map, strangers);
    if (this.hasMade(map) || this.#isKnown(map)) return;
    const users = await this.#parts.maps.usersOf(map, signal);
    if (users.length > 0) throw mapOfAnother(disk, map, users);
  }

  /** Whether the map came during this call. */
  hasMade(map: MultipathMap): boolean {
    return this.#before !== undefined && !this.#before.has(kernelNameOf(map));
  }

  /** Whether the map may go when the call is undone. */
  async mayRemove(map: MultipathMap): Promise<boolean> {
    return this.hasMade(map) && (await this.#parts.maps.strangersIn(map, this.#view.units)).length === 0;
  }

  async #look(disk: ScsiDisk, signal: AbortSignal): Promise<void> {
    const { wwid } = disk;
    const { files, maps } = this.#parts;
    const { units, map: former, note } = this.#view;
    const { disks, mapped } = await findNamesakes(wwid, files);
    this.#before ??= new Set(mapped);
    const strangers = await strangersAmong(disks, units, files);
    if (wwid !== undefined && strangers.length > 0) throw sameWwidElsewhere({ path: disk.path, wwid }, strangers);
    const ids = wwid === undefined ? [] : [parseMapId(wwid)].filter((id) => id !== undefined);
    for (const map of await maps.ofIds(ids, mapped)) await this.requireOwn(map, disk, signal);
    if (former !== undefined && note !== undefined && note.wwid !== wwid && (await maps.exists(former)))
      await this.#giveUp(former, disk, note.mapId, signal);
  }

  /** The map of what was under the LUN before, whose disks are gone. */
  async #giveUp(map: MultipathMap, disk: ScsiDisk, notedId: MapId | undefined, signal: AbortSignal): Promise<void> {
    const { maps } = this.#parts;
    const users = await maps.usersOf(map, signal);
    if (users.length > 0) throw mapOfAnother(disk, map, users);
    await maps.stopQueueing(map, signal);
    await maps.remove(map, signal);
    await maps.forgetIds([map.id, ...(notedId === undefined ? [] : [notedId])], signal);
  }

  #isKnown({ path, id }: MultipathMap): boolean {
    const { map, note } = this.#view;
    return map?.path === path || (note !== undefined && (note.mapId === id || String(note.wwid) === String(id)));
  }
}
