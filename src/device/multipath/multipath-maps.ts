import type { Logger } from '../../base/logger.js';
import { quoted, shellWords } from '../../base/quoted.js';
import { VolumeError } from '../../base/volume-error.js';
import type { Clock } from '../../host/clock.js';
import type { CommandRunner } from '../../host/command.js';
import type { DeviceUser, DeviceUsers } from '../../host/device-users.js';
import type { FileSystem } from '../../host/file-system.js';
import { pollUntil } from '../../host/poll-until.js';
import type { DevicePath, MapId, MultipathMap, ScsiDisk } from '../block-device.js';
import { type Stranger, strangersAmong } from '../disk-place.js';
import type { TargetUnit } from '../units-behind.js';
import { type Assembly, MapAssembly, type OnEnter } from './map-assembly.js';
import { MapRemoval } from './map-removal.js';
import { mapUsersNow, usersOfMap } from './map-users.js';
import { addPathCommand, forgetPathCommand, resizeMapCommand } from './multipath-commands.js';
import { type MultipathAnswer, Multipathd } from './multipathd.js';
import { kernelNameOf, readMap, readMapOver, readMapsOf } from './read-map.js';
import { WwidsFile } from './wwids-file.js';

export interface MultipathParts {
  readonly commands: CommandRunner;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly users: DeviceUsers;
  readonly logger: Logger;
  readonly stateDirectory: string;
  readonly deviceTimeoutMs: number;
}

/** multipathd puts a disk into the map that is there, and takes it out, as soon as udev has seen it. */
const JOIN_MS = 2_000;
/** multipathd reads its whole configuration anew before it answers again (LP1888675). */
const RESIZE_MS = 120_000;
/** multipathd answers when the map is resized; whatever sysfs does not show after this was not done. */
const RESIZED_MS = 200;
/** The first pause between two requests to resize a map; each next one is twice as long. */
const FIRST_RESIZE_PAUSE_MS = 1_000;
const MOST_RESIZE_FAILURES = 3;

/** The host's multipath maps: read in sysfs, made and removed by multipathd. */
export class MultipathMaps {
  readonly #parts: MultipathParts;
  readonly #multipathd: Multipathd;
  readonly #wwids: WwidsFile;
  readonly #assembly: MapAssembly;
  readonly #removal: MapRemoval;

  constructor(parts: MultipathParts) {
    this.#parts = parts;
    this.#multipathd = new Multipathd(parts);
    this.#wwids = new WwidsFile(parts, this.#multipathd);
    this.#assembly = new MapAssembly(parts, this.#multipathd, this.#wwids);
    this.#removal = new MapRemoval(parts, this.#multipathd);
  }

  /** Whether multipathd listens; one that hangs does too. */
  async isRunning(): Promise<boolean> {
    return await this.#multipathd.isRunning();
  }

  /** The map over a disk, whole or not. */
  async over(disk: Pick<ScsiDisk, 'path'>): Promise<MultipathMap | undefined> {
    return (await readMapOver(disk, this.#parts.files))?.map;
  }

  /**
   * The maps of these ids, also those without a path.
   * @param mapped where to look: the kernel names of device-mapper devices; everywhere when absent
   */
  async ofIds(ids: readonly MapId[], mapped?: readonly string[]): Promise<readonly MultipathMap[]> {
    return (await readMapsOf(ids, this.#parts.files, mapped)).map(({ map }) => map);
  }

  /** Whether device-mapper has the map still. */
  async exists({ path, id }: Pick<MultipathMap, 'path' | 'id'>): Promise<boolean> {
    return (await readMap(kernelNameOf({ path }), this.#parts.files))?.map.id === id;
  }

  /** The devices below the map that are none of these units. */
  async strangersIn({ path }: Pick<MultipathMap, 'path'>, units: readonly TargetUnit[]): Promise<readonly Stranger[]> {
    const { files } = this.#parts;
    return await strangersAmong((await readMap(kernelNameOf({ path }), files))?.slaves ?? [], units, files);
  }

  /**
   * Has multipathd put a map over the disk, and waits until a guest can have it.
   * @param onEnter hears of each id before it gets into the wwids file
   */
  async assemble(disk: ScsiDisk, onEnter: OnEnter, signal: AbortSignal): Promise<Assembly> {
    return await this.#assembly.assemble(disk, onEnter, signal);
  }

  /**
   * The map once the disks are among its paths. multipathd adds each at its uevent; it is reminded of those that it has
   * missed.
   */
  async join(map: MultipathMap, disks: readonly ScsiDisk[], signal: AbortSignal): Promise<MultipathMap> {
    const { clock } = this.#parts;
    const [disk] = disks;
    const now = async (): Promise<MultipathMap> => (disk === undefined ? undefined : await this.over(disk)) ?? map;
    const outside = ({ members }: MultipathMap): readonly ScsiDisk[] =>
      disks.filter(({ path }) => !members.some((member) => member.path === path));
    const whole = async (): Promise<true | undefined> => (outside(await now()).length === 0 ? true : undefined);
    if ((await pollUntil(whole, { clock, timeoutMs: JOIN_MS, signal })) !== true) {
      for (const missed of outside(await now()))
        if ((await this.#multipathd.ask(addPathCommand(kernelNameOf(missed)), signal)).isSilent) break;
      await pollUntil(whole, { clock, timeoutMs: JOIN_MS, signal });
    }
    return await now();
  }

  /**
   * Brings the map to the size that its paths have by now: a disk that still shows another one must have left it
   * before.
   * @throws {VolumeError} `RESIZE_FAILED` when the kernel still shows another size: "ok" proves nothing, so it is asked
   * again; "fail" may be of a moment in which multipathd takes another path in or out of the map, and is final at the
   * third time
   */
  async resize(map: MultipathMap, sizeBytes: number, signal: AbortSignal): Promise<MultipathMap> {
    const { clock, logger } = this.#parts;
    const resized = async (): Promise<MultipathMap | undefined> => {
      const view = await readMap(kernelNameOf(map), this.#parts.files);
      return view?.ready === true && view.map.id === map.id && view.map.sizeBytes === sizeBytes ? view.map : undefined;
    };
    const deadline = clock.now() + RESIZE_MS;
    let refusals = 0;
    for (let pause = FIRST_RESIZE_PAUSE_MS; ; pause *= 2) {
      const answer = await this.#multipathd.ask(resizeMapCommand(map.name), signal);
      const refused = isRefusal(answer);
      const now = await pollUntil(resized, { clock, timeoutMs: refused ? 0 : RESIZED_MS, signal });
      if (now !== undefined) {
        logger.info('Map resized', { name: map.name, wwid: map.wwid, before: map.sizeBytes, now: now.sizeBytes });
        return now;
      }
      if (refused) refusals = isFailure(answer) ? refusals + 1 : MOST_RESIZE_FAILURES;
      if (refusals >= MOST_RESIZE_FAILURES || clock.now() >= deadline) throw notResized(map, sizeBytes, answer.words);
      await clock.sleep(Math.min(pause, Math.max(0, deadline - clock.now())), signal);
    }
  }

  /**
   * Takes a disk out of the map, which goes on with its other paths. Quiet when multipathd does not do it: what is
   * deleted then carries no more I/O either.
   */
  async takeOut(map: Pick<MultipathMap, 'path'>, { path }: Pick<ScsiDisk, 'path'>, signal: AbortSignal): Promise<void> {
    const { clock, files, logger } = this.#parts;
    const name = kernelNameOf({ path });
    const answer = await this.#multipathd.ask(forgetPathCommand(name), signal);
    const free = async (): Promise<true | undefined> =>
      (await files.list(`/sys/class/block/${kernelNameOf(map)}/slaves`)).includes(name) ? undefined : true;
    if ((await pollUntil(free, { clock, timeoutMs: answer.isSilent ? 0 : JOIN_MS, signal })) === true) return;
    logger.warn('A disk did not leave its map', { map: map.path, disk: path, answer: answer.words });
  }

  /**
   * Waits until disks that are gone from the kernel have left the map as well. multipathd is reminded of those whose
   * end it has missed.
   */
  async waitForPathRemoval(
    { path }: Pick<MultipathMap, 'path'>,
    disks: readonly DevicePath[],
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, files } = this.#parts;
    const held = async (): Promise<readonly string[]> => {
      const slaves = await files.list(`/sys/class/block/${kernelNameOf({ path })}/slaves`);
      return disks.map((disk) => kernelNameOf({ path: disk })).filter((name) => slaves.includes(name));
    };
    const free = async (): Promise<true | undefined> => ((await held()).length === 0 ? true : undefined);
    if ((await pollUntil(free, { clock, timeoutMs: JOIN_MS, signal })) === true) return;
    await this.#forgetEach(await held(), signal);
    await pollUntil(free, { clock, timeoutMs: JOIN_MS, signal });
  }

  /**
   * Who has the map, or a partition on it, or one of its paths open, once those that only pass by are gone. The map's
   * own hold on its paths is none.
   */
  async usersOf(map: MultipathMap, signal: AbortSignal): Promise<readonly DeviceUser[]> {
    return await usersOfMap(map, this.#parts, signal);
  }

  /** The same at this moment, with those that only pass by. */
  async usersNow(map: MultipathMap, signal: AbortSignal): Promise<readonly DeviceUser[]> {
    return await mapUsersNow(map, this.#parts, signal);
  }

  /** Has I/O fail where no path is left. Quiet in the end: what follows fails by itself where the map still queues. */
  async stopQueueing(map: MultipathMap, signal: AbortSignal): Promise<void> {
    await this.#removal.stopQueueing(map, signal);
  }

  /** @throws {VolumeError} `CLEANUP_INCOMPLETE` when the kernel still has the map */
  async remove(map: MultipathMap, signal: AbortSignal): Promise<void> {
    await this.#removal.remove(map, signal);
  }

  /** After the disks are gone: multipathd lets go of them. */
  async forgetDisks(disks: readonly DevicePath[], signal: AbortSignal): Promise<void> {
    await this.#removal.forgetDisks(disks, signal);
  }

  /** Takes the ids out of the wwids file that this library has entered. */
  async forgetIds(ids: readonly MapId[], signal: AbortSignal): Promise<void> {
    for (const id of new Set(ids)) await this.#wwids.leave(id, signal);
  }

  /** Whether this library is why multipathd makes a map of the id. */
  async hasEntered(id: MapId): Promise<boolean> {
    return await this.#wwids.isOurs(id);
  }

  /** Every id that this library has entered into the wwids file. */
  async enteredIds(): Promise<readonly MapId[]> {
    return await this.#wwids.allOurs();
  }

  async #forgetEach(names: readonly string[], signal: AbortSignal): Promise<void> {
    for (const name of names) if ((await this.#multipathd.ask(forgetPathCommand(name), signal)).isSilent) return;
  }
}

/**
 * By its words and its exit status alike. "timeout" is none: it comes alone, or below "fail" (multipathd/uxlsnr.c,
 * default_reply).
 */
function isRefusal({ words, exitCode }: MultipathAnswer): boolean {
  return !/\btimeout\b/.test(words) && (exitCode !== 0 || /\bfail\b/.test(words));
}

/** multipathd's own word for what it could not do; any other refusal is of a daemon that does not run. */
function isFailure({ words }: MultipathAnswer): boolean {
  return /^fail\b/.test(words.trim());
}

function notResized(map: MultipathMap, sizeBytes: number, words: string): VolumeError {
  return new VolumeError(
    'RESIZE_FAILED',
    `Cannot resize the multipath map ${map.name}: its paths have ${sizeBytes} bytes and it has ${map.sizeBytes}; ` +
      `multipathd says ${quoted(words)}`,
    {
      hint: `multipathd resize map ${shellWords(map.name)}; its log names the path that it does not agree with`,
      details: { map: map.name, wwid: map.wwid, oldSizeBytes: map.sizeBytes, newSizeBytes: sizeBytes },
    },
  );
}
