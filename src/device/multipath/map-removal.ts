import type { Logger } from '../../base/logger.js';
import { shellWords } from '../../base/quoted.js';
import { VolumeError } from '../../base/volume-error.js';
import type { Clock } from '../../host/clock.js';
import type { FileSystem } from '../../host/file-system.js';
import { pollUntil } from '../../host/poll-until.js';
import type { DevicePath, MultipathMap } from '../block-device.js';
import {
  deleteMapCommand,
  failIfNoPathCommand,
  forgetPathCommand,
  listPathsCommand,
  removeMapAloneCommand,
  removeMapCommand,
  stopQueueingCommand,
} from './multipath-commands.js';
import type { Multipathd } from './multipathd.js';
import { kernelNameOf } from './read-map.js';

export interface RemovalParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Who only passes by a map that is to be removed is gone in a moment; but what udev's helpers read from a map whose
 * paths are all dead has to fail first, path by path, which on a busy host takes many seconds (lab: multipath, a dead
 * map that queues). The pauses between two tries are 250 ms to 4 s.
 */
const REMOVE_MS = 60_000;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 4_000;
/**
 * multipathd answers "timeout" while it waits for the checkers of dead paths; the kernel is told without it after this.
 */
const STOP_QUEUEING_MS = 10_000;
/** multipathd is asked up to this pause, and then multipath, which does it without multipathd. */
const LAST_REQUEST_MS = 500;
/**
 * multipathd lets go of a path as soon as its uevent arrives: whatever it lists still after pauses of 100 ms to 1.6 s
 * it has missed.
 */
const FIRST_FORGET_MS = 100;
const LAST_FORGET_MS = 1_600;

/** Takes a map away that nobody uses. */
export class MapRemoval {
  readonly #parts: RemovalParts;
  readonly #multipathd: Multipathd;

  constructor(parts: RemovalParts, multipathd: Multipathd) {
    this.#parts = parts;
    this.#multipathd = multipathd;
  }

  /**
   * Where every path is dead and the map queues, nothing that waits for its I/O would ever end. multipathd is asked, so
   * that it does not turn it on again; where it does not do it, device-mapper is told itself. Quiet in the end: what
   * follows fails by itself where the map still queues.
   */
  async stopQueueing({ name }: MultipathMap, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#parts;
    const deadline = clock.now() + STOP_QUEUEING_MS;
    let answer = await this.#multipathd.ask(stopQueueingCommand(name), signal);
    for (let pause = FIRST_RETRY_MS; /\btimeout\b/.test(answer.words) && clock.now() < deadline; pause *= 2) {
      await clock.sleep(Math.min(pause, LAST_RETRY_MS), signal);
      answer = await this.#multipathd.ask(stopQueueingCommand(name), signal);
    }
    if (/^ok$/m.test(answer.words)) return;
    logger.warn('multipathd did not stop a map from queueing; device-mapper is told itself', {
      name,
      answer: answer.words,
    });
    const { exitCode, stderr } = await this.#multipathd.ask(failIfNoPathCommand(name), signal);
    if (exitCode !== 0) logger.warn('A map may still queue', { name, exitCode, stderr: stderr.trim() });
  }

  /**
   * Asks again while something that passes by, such as udev, has the map open: "map in use" is then gone in a moment.
   * @throws {VolumeError} `CLEANUP_INCOMPLETE` when the kernel still has the map: the words and the exit status of
   * multipath prove nothing
   */
  async remove(map: MultipathMap, signal: AbortSignal): Promise<void> {
    const { clock, files, logger } = this.#parts;
    const uuid = `/sys/class/block/${kernelNameOf(map)}/dm/uuid`;
    const isGone = async (): Promise<true | undefined> =>
      (await files.readText(uuid)) === `mpath-${map.id}` ? undefined : true;
    let deadline = clock.now() + REMOVE_MS;
    let command = deleteMapCommand(map.name);
    let hangs = false;
    for (let pause = FIRST_RETRY_MS; ; pause = Math.min(pause * 2, LAST_RETRY_MS)) {
      const answer = await this.#multipathd.ask(command, signal);
      if ((await pollUntil(isGone, { clock, timeoutMs: pause, signal })) === true) break;
      if (answer.isSilent && !hangs) {
        hangs = true;
        deadline = clock.now() + REMOVE_MS;
      }
      if (hangs) command = command.args.includes('-D') ? removeMapCommand(map.name) : removeMapAloneCommand(map.name);
      else if (answer.exitCode !== 0 || pause >= LAST_REQUEST_MS) command = removeMapCommand(map.name);
      if (clock.now() < deadline) continue;
      throw new VolumeError(
        'CLEANUP_INCOMPLETE',
        `Cannot remove the multipath map ${map.name}: ` +
          (answer.words === '' ? 'the kernel still has it' : answer.words),
        {
          hint: hangs ? 'systemctl restart multipathd' : `multipath ${shellWords('-f', map.name)}`,
          details: { map: map.name, id: map.id, wwid: map.wwid },
        },
      );
    }
    logger.info('Map removed', { name: map.name, id: map.id, wwid: map.wwid });
  }

  /**
   * After the disks are gone: multipathd lets go of them, so that its late news about an old `sda` cannot take a new
   * one away (LP1924652, LP2136842).
   */
  async forgetDisks(disks: readonly DevicePath[], signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#parts;
    const names = disks.map((path) => kernelNameOf({ path }));
    let listed = names;
    for (let pause = FIRST_FORGET_MS; listed.length > 0; pause *= 2) {
      const { words, isSilent } = await this.#multipathd.ask(listPathsCommand(), signal);
      if (isSilent) {
        logger.warn('multipathd does not say whether it has let go of disks that are gone', { disks });
        return;
      }
      const lines = words.split(/\s+/);
      listed = names.filter((name) => lines.includes(name));
      if (listed.length === 0 || pause > LAST_FORGET_MS) break;
      await clock.sleep(pause, signal);
    }
    for (const name of listed) await this.#multipathd.ask(forgetPathCommand(name), signal);
  }
}
