import type { NonEmpty } from '../../base/brand.js';
import type { IscsiConnection } from '../../connection/iscsi-connection.js';
import type { MapId, ScsiDisk } from '../../device/block-device.js';
import { isAmong } from '../../device/disk-place.js';
import { type NotedUnit, sameVolumeNote, type VolumeNote } from '../notes/volume-note.js';
import type { VolumeNotes } from '../notes/volume-notes.js';
import type { UndoLog } from '../undo-log.js';
import { unitsOf } from '../volume-units.js';

/** Notes, of one connection, which volume it has brought to this host. */
export class NoteKeeper {
  readonly #notes: VolumeNotes;
  readonly #connection: IscsiConnection;
  readonly #before: VolumeNote | undefined;
  #now: VolumeNote | undefined;

  /** @param before what was noted when the call began */
  constructor(notes: VolumeNotes, connection: IscsiConnection, before: VolumeNote | undefined) {
    this.#notes = notes;
    this.#connection = connection;
    this.#before = before;
    this.#now = before;
  }

  /**
   * Quiet for a disk without a WWID, and where all of it is noted.
   * @param undo gets a step that brings back what was noted before
   */
  async keep({ wwid }: ScsiDisk, mapId: MapId | undefined, undo: UndoLog): Promise<void> {
    const { volumeId } = this.#connection;
    if (wwid === undefined) return;
    const same = this.#now?.wwid === wwid ? this.#now : undefined;
    const note: VolumeNote = {
      volumeId,
      wwid,
      mapId: mapId ?? same?.mapId,
      units: joined(unitsOf(this.#connection), same?.units ?? []),
      owner: await this.#notes.self(),
    };
    if (this.#now !== undefined && sameVolumeNote(this.#now, note)) return;
    undo.add(async () => {
      await this.#restore(note);
    });
    await this.#notes.put(note);
    this.#now = note;
  }

  /** Before the first effect on the host. */
  async announce(): Promise<void> {
    await this.#putArrival(false);
  }

  /** Once the volume is here: its note says more, where it has one. */
  async arrived(): Promise<void> {
    if (this.#now === undefined) await this.#putArrival(true);
    else await this.forgetArrival();
  }

  /** Once nothing of it is here. */
  async forgetArrival(): Promise<void> {
    await this.#notes.dropArrival(unitsOf(this.#connection));
  }

  async #putArrival(arrived: boolean): Promise<void> {
    const { volumeId } = this.#connection;
    await this.#notes.putArrival({
      volumeId,
      units: unitsOf(this.#connection),
      owner: await this.#notes.self(),
      arrived,
    });
  }

  async #restore(note: VolumeNote): Promise<void> {
    await this.#notes.drop(note.units);
    if (this.#before !== undefined) await this.#notes.put(this.#before);
    this.#now = this.#before;
  }
}

/** The storage service may list other portals each time: all of them are the volume's. */
function joined(listed: NonEmpty<NotedUnit>, noted: readonly NotedUnit[]): NonEmpty<NotedUnit> {
  const withNoted = (unit: NotedUnit): NotedUnit => ({
    ...unit,
    portals: [
      ...new Set([
        ...unit.portals,
        ...noted.filter((other) => isAmong([unit], other)).flatMap(({ portals }) => portals),
      ]),
    ],
  });
  const [first, ...others] = listed;
  return [withNoted(first), ...others.map(withNoted), ...noted.filter((unit) => !isAmong(listed, unit))];
}
