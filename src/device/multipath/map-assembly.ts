import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../host/clock.js';
import type { FileSystem } from '../../host/file-system.js';
import { pollUntil } from '../../host/poll-until.js';
import type { MapId, MultipathMap, ScsiDisk } from '../block-device.js';
import { addPathCommand } from './multipath-commands.js';
import { type Multipathd, parseMapId } from './multipathd.js';
import { kernelNameOf, readMapOver } from './read-map.js';
import type { WwidsFile } from './wwids-file.js';

export interface AssemblyParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly deviceTimeoutMs: number;
}

/** What came of having multipathd put a map over a disk. */
export type Assembly =
  | { readonly kind: 'made'; readonly map: MultipathMap }
  /** @param reason in words that go on after "the volume has one path only: " */
  | { readonly kind: 'none'; readonly reason: string; readonly hint: string };

export type OnEnter = (id: MapId) => void;

/**
 * How long multipathd is left to the uevents of the disks before it is reminded of one, and from then on three times as
 * long each. It looks at a disk only once udev has named it ("fail" until then, so it is not asked), and forgets one
 * that it saw before its WWID was entered.
 */
const FIRST_REMINDER_MS = 500;
/**
 * Once it was reminded it makes a map of a disk that it is to make one of, or has another id for the disk than the one
 * that was entered.
 */
const REMINDED_MS = 500;
/** A udev that has named nothing by then is not waited for. */
const NAMING_MS = 15_000;
/** systemd, src/libsystemd/sd-device: one file for each device that udev is done with, such as `b8:0`. */
const UDEV_NOTES = '/run/udev/data';

const NO_MAP_HINT =
  'multipathd show config local shows its blacklist; multipathd show paths, what it makes of the disks';
const SILENT = { kind: 'none', reason: 'multipathd does not answer', hint: 'systemctl restart multipathd' } as const;

/** Has multipathd put a map over a disk. */
export class MapAssembly {
  readonly #parts: AssemblyParts;
  readonly #multipathd: Multipathd;
  readonly #wwids: WwidsFile;

  constructor(parts: AssemblyParts, multipathd: Multipathd, wwids: WwidsFile) {
    this.#parts = parts;
    this.#multipathd = multipathd;
    this.#wwids = wwids;
  }

  /**
   * Waits until a guest can have the map, at most `device_timeout_seconds`. The WWID is entered for the map's id at
   * once, which it is by default; where multipathd goes by another `uid_attribute`, the id that it tells takes its
   * place.
   * @param onEnter hears of every id before it is entered
   */
  async assemble(disk: ScsiDisk, onEnter: OnEnter, signal: AbortSignal): Promise<Assembly> {
    const { logger } = this.#parts;
    const present = await this.#ready(disk);
    if (present !== undefined) return { kind: 'made', map: present };
    if (disk.wwid === undefined) return { kind: 'none', reason: `${disk.path} reports no WWID`, hint: NO_MAP_HINT };
    const before = await this.#wwids.read();
    const guess = parseMapId(disk.wwid);
    if (guess !== undefined && !before.has(guess)) await this.#enter(guess, onEnter, signal);
    const made = await this.#request(disk, { before, guess, onEnter }, signal);
    if (made.kind === 'none') return made;
    const { path, name, id, wwid } = made.map;
    if (id !== guess) await this.#correct(id, { before, guess, onEnter }, signal);
    logger.info('Map appeared', { path, name, id, wwid });
    return made;
  }

  async #request(disk: ScsiDisk, { before, guess, onEnter }: Entries, signal: AbortSignal): Promise<Assembly> {
    const { clock, deviceTimeoutMs } = this.#parts;
    const began = clock.now();
    const deadline = began + deviceTimeoutMs;
    const ready = async (timeoutMs: number): Promise<MultipathMap | undefined> =>
      await pollUntil(() => this.#ready(disk), {
        clock,
        timeoutMs: Math.min(timeoutMs, Math.max(0, deadline - clock.now())),
        signal,
      });
    let entered = guess;
    for (let pause = FIRST_REMINDER_MS; ;) {
      const map = await ready(pause);
      if (map !== undefined) return { kind: 'made', map };
      if (clock.now() >= deadline) return refused(disk);
      if (clock.now() < began + NAMING_MS && !(await this.#isNamed(disk))) continue;
      const answer = await this.#multipathd.ask(addPathCommand(kernelNameOf(disk)), signal);
      const reminded = await ready(answer.isSilent ? 0 : REMINDED_MS);
      if (reminded !== undefined) return { kind: 'made', map: reminded };
      if (answer.isSilent) return SILENT;
      if (answer.words.includes('blacklisted')) return refused(disk);
      const id = await this.#multipathd.idOf(disk, signal);
      if (id !== undefined && id !== entered) {
        entered = id;
        if (!before.has(id)) await this.#enter(id, onEnter, signal);
        await this.#multipathd.ask(addPathCommand(kernelNameOf(disk)), signal);
      } else {
        pause *= 3;
      }
    }
  }

  async #enter(id: MapId, onEnter: OnEnter, signal: AbortSignal): Promise<void> {
    onEnter(id);
    await this.#wwids.enter(id, signal);
  }

  /**
   * The entry of a WWID that is no id is none of multipathd's; an id that is there since is, by what was asked of it.
   */
  async #correct(id: MapId, { before, guess, onEnter }: Entries, signal: AbortSignal): Promise<void> {
    if (parseMapId(id) !== undefined && !before.has(id) && (await this.#wwids.read()).has(id)) {
      onEnter(id);
      await this.#wwids.adopt(id);
    }
    if (guess !== undefined && !before.has(guess)) await this.#wwids.leave(guess, signal);
  }

  async #ready(disk: ScsiDisk): Promise<MultipathMap | undefined> {
    const view = await readMapOver(disk, this.#parts.files);
    return view?.ready === true ? view.map : undefined;
  }

  /** Whether udev is done with the disk. A host whose udev keeps no such notes counts as one that is. */
  async #isNamed(disk: ScsiDisk): Promise<boolean> {
    const { files } = this.#parts;
    const number = await files.readText(`/sys/class/block/${kernelNameOf(disk)}/dev`);
    return (
      number === undefined ||
      (await files.kind(`${UDEV_NOTES}/b${number}`)) !== undefined ||
      (await files.kind(UDEV_NOTES)) === undefined
    );
  }
}

interface Entries {
  /** What the wwids file had before anything was entered. */
  readonly before: ReadonlySet<MapId>;
  /** The WWID, as an id. */
  readonly guess: MapId | undefined;
  readonly onEnter: OnEnter;
}

function refused({ wwid }: ScsiDisk): Assembly {
  return { kind: 'none', reason: `multipathd made no map of ${wwid ?? 'it'}`, hint: NO_MAP_HINT };
}
