import type { Logger } from '../base/logger.js';
import { quoted } from '../base/quoted.js';
import { shellWords } from '../base/shell-words.js';
import { VolumeError } from '../base/volume-error.js';
import type { Clock } from '../host/clock.js';
import type { Command, CommandResult, CommandRunner } from '../host/command.js';
import type { DeviceUser, DeviceUsers } from '../host/device-users.js';
import type { FileSystem } from '../host/file-system.js';
import { until } from '../host/until.js';
import type { DevicePath, MultipathMap, ScsiDisk } from './block-device.js';
import { AddedWwids } from './added-wwids.js';
import { addPathCommand, deleteMapCommand, failIfNoPathCommand, forgetPathCommand, forgetWwidCommand, listPathsCommand, rememberWwidCommand, removeMapCommand, resizeMapCommand, stopQueueingCommand } from './multipath-commands.js';
import { type MapView, readMap, readMapOver } from './read-map.js';
import type { Wwid } from './wwid.js';

export interface MultipathParts {
  readonly commands: CommandRunner;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly users: DeviceUsers;
  readonly logger: Logger;
  readonly stateDirectory: string;
  readonly deviceTimeoutMs: number;
}

const WWIDS = '/etc/multipath/wwids';
/** multipath-tools, libmpathutil/uxsock.c: the abstract socket; since 0.12.0 a file as well. */
const SOCKETS = ['@/org/kernel/linux/storage/multipathd', '/run/multipathd.socket'];
/**
 * How long multipathd is left to the uevents of the disks before it is reminded of one, and from then on three times as long each. It looks at a disk only
 * once udev has named it ("fail" until then, so it is not asked), and forgets one that it saw before its WWID was entered.
 */
const FIRST_REMINDER_MS = 500;
/** A udev that has named nothing by then is not waited for. */
const NAMING_MS = 15_000;
/** systemd, src/libsystemd/sd-device: one file for each device that udev is done with, such as `b8:0`. */
const UDEV_NOTES = '/run/udev/data';
/** udev and its helpers open a new map for a moment; who still has it open after this uses it. */
const PASSING_USERS_MS = 2_000;
/** multipathd puts a disk into the map that is there, and takes it out, as soon as udev has seen it. */
const JOIN_MS = 2_000;
/**
 * Who only passes by a map that is to be removed is gone in a moment; but what udev's helpers read from a map whose paths are all dead has to fail first, path by path, which on a busy host
 * takes many seconds (lab: multipath, a dead map that queues). The pauses between two tries are 250 ms to 4 s.
 */
const REMOVE_MS = 60_000;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 4_000;
/** multipathd answers "timeout" while it waits for the checkers of dead paths; the kernel is told without it after this. */
const STOP_QUEUEING_MS = 10_000;
/** multipathd is asked up to this pause, and then multipath, which does it without multipathd. */
const LAST_REQUEST_MS = 500;
/** multipathd lets go of a path as soon as its uevent arrives: whatever it lists still after pauses of 100 ms to 1.6 s it has missed. */
const FIRST_FORGET_MS = 100;
const LAST_FORGET_MS = 1_600;
/** multipathd reads its whole configuration anew before it answers again (LP1888675). */
const RESIZE_MS = 120_000;
/** multipathd answers when the map is resized; whatever sysfs does not show after this was not done. */
const RESIZED_MS = 200;
/** The first pause between two requests to resize a map; each next one is twice as long. */
const FIRST_RESIZE_PAUSE_MS = 1_000;

/** The host's multipath maps: read in sysfs, made and removed by multipathd. */
export class MultipathMaps {
  readonly #parts: MultipathParts;
  readonly #added: AddedWwids;

  constructor(parts: MultipathParts) {
    this.#parts = parts;
    this.#added = new AddedWwids(parts);
  }

  async isRunning(): Promise<boolean> {
    const sockets = (await this.#parts.files.readText('/proc/net/unix')) ?? '';
    return sockets.split('\n').some((line) => SOCKETS.includes(line.split(' ').at(-1) ?? ''));
  }

  /** The map over a disk, whole or not. */
  async over(disk: Pick<ScsiDisk, 'path'>): Promise<MultipathMap | undefined> {
    return (await readMapOver(disk, this.#parts.files))?.map;
  }

  /**
   * Has multipathd put a map over the disk, and waits until a guest can have it.
   * @returns `undefined` when multipathd will not (a blacklist), or has not after `device_timeout_seconds`
   */
  async assemble(disk: ScsiDisk, signal: AbortSignal): Promise<MultipathMap | undefined> {
    const { clock, deviceTimeoutMs, logger } = this.#parts;
    const ready = async (): Promise<MultipathMap | undefined> => {
      const view = await readMapOver(disk, this.#parts.files);
      return view?.ready === true ? view.map : undefined;
    };
    const present = await ready();
    if (present !== undefined || disk.wwid === undefined) return present;
    await this.#remember(disk.wwid, signal);
    const began = clock.now();
    const deadline = began + deviceTimeoutMs;
    for (let pause = FIRST_REMINDER_MS; ;) {
      const map = await until(ready, { clock, timeoutMs: Math.min(pause, Math.max(0, deadline - clock.now())), signal });
      if (map !== undefined) {
        logger.info('Map appeared', { path: map.path, name: map.name, wwid: map.wwid });
        return map;
      }
      if (clock.now() >= deadline) return undefined;
      if (clock.now() < began + NAMING_MS && !(await this.#isNamed(disk))) continue;
      if ((await this.#ask(addPathCommand(nameOf(disk)), signal)).includes('blacklisted')) return undefined;
      pause *= 3;
    }
  }

  /** Whether udev is done with the disk. A host whose udev keeps no such notes counts as one that is. */
  async #isNamed(disk: ScsiDisk): Promise<boolean> {
    const { files } = this.#parts;
    const number = await files.readText(`/sys/class/block/${nameOf(disk)}/dev`);
    return number === undefined || (await files.kind(`${UDEV_NOTES}/b${number}`)) !== undefined || (await files.kind(UDEV_NOTES)) === undefined;
  }

  /** The map once the disks are among its paths. multipathd adds each at its uevent; it is reminded of those that it has missed. */
  async join(map: MultipathMap, disks: readonly ScsiDisk[], signal: AbortSignal): Promise<MultipathMap> {
    const { clock } = this.#parts;
    const [disk] = disks;
    const now = async (): Promise<MultipathMap> => (disk === undefined ? undefined : await this.over(disk)) ?? map;
    const outside = ({ members }: MultipathMap): readonly ScsiDisk[] => disks.filter(({ path }) => !members.some((member) => member.path === path));
    const whole = async (): Promise<true | undefined> => (outside(await now()).length === 0 ? true : undefined);
    if ((await until(whole, { clock, timeoutMs: JOIN_MS, signal })) !== true) {
      for (const missed of outside(await now())) await this.#ask(addPathCommand(nameOf(missed)), signal);
      await until(whole, { clock, timeoutMs: JOIN_MS, signal });
    }
    return await now();
  }

  /**
   * Brings the map to the size that its paths have by now: a disk that still shows another one must have left it before.
   * @throws {VolumeError} `RESIZE_FAILED` when the kernel still shows another size: "ok" proves nothing, so it is asked again
   */
  async resize(map: MultipathMap, sizeBytes: bigint, signal: AbortSignal): Promise<MultipathMap> {
    const { clock, logger } = this.#parts;
    const resized = async (): Promise<MultipathMap | undefined> => {
      const view = await readMap(nameOf(map), this.#parts.files);
      return view?.ready === true && view.map.wwid === map.wwid && view.map.sizeBytes === sizeBytes ? view.map : undefined;
    };
    const deadline = clock.now() + RESIZE_MS;
    for (let pause = FIRST_RESIZE_PAUSE_MS; ; pause *= 2) {
      const answer = await this.#answer(resizeMapCommand(map.name), signal);
      const refused = isRefusal(answer);
      const now = await until(resized, { clock, timeoutMs: refused ? 0 : RESIZED_MS, signal });
      if (now !== undefined) {
        logger.info('Map resized', { name: map.name, wwid: map.wwid, before: map.sizeBytes, now: now.sizeBytes });
        return now;
      }
      if (refused || clock.now() >= deadline) throw notResized(map, sizeBytes, wordsOf(answer));
      await clock.sleep(Math.min(pause, Math.max(0, deadline - clock.now())), signal);
    }
  }

  /** Waits until disks that are gone from the kernel have left the map as well. multipathd is reminded of those whose end it has missed. */
  async letGoOf({ path }: Pick<MultipathMap, 'path'>, disks: readonly DevicePath[], signal: AbortSignal): Promise<void> {
    const { clock, files } = this.#parts;
    const held = async (): Promise<readonly string[]> => {
      const slaves = await files.list(`/sys/class/block/${nameOf({ path })}/slaves`);
      return disks.map((disk) => nameOf({ path: disk })).filter((name) => slaves.includes(name));
    };
    const free = async (): Promise<true | undefined> => ((await held()).length === 0 ? true : undefined);
    if ((await until(free, { clock, timeoutMs: JOIN_MS, signal })) === true) return;
    for (const name of await held()) await this.#ask(forgetPathCommand(name), signal);
    await until(free, { clock, timeoutMs: JOIN_MS, signal });
  }

  /** Who has the map, or a partition on it, or one of its paths open, once those that only pass by are gone. The map's own hold on its paths is none. */
  async usersOf(map: MultipathMap, signal: AbortSignal): Promise<readonly DeviceUser[]> {
    const { clock } = this.#parts;
    let present: readonly DeviceUser[] = [];
    await until(
      async () => {
        present = await this.#usersNow(map, signal);
        return present.length === 0 ? true : undefined;
      },
      { clock, timeoutMs: PASSING_USERS_MS, signal },
    );
    return present;
  }

  /**
   * Where every path is dead and the map queues, nothing that waits for its I/O would ever end. multipathd is asked, so that it does not turn it on again; where it does not
   * do it, device-mapper is told itself. Quiet in the end: what follows fails by itself where the map still queues.
   */
  async stopQueueing({ name }: MultipathMap, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#parts;
    const deadline = clock.now() + STOP_QUEUEING_MS;
    let answer = await this.#ask(stopQueueingCommand(name), signal);
    for (let pause = FIRST_RETRY_MS; /\btimeout\b/.test(answer) && clock.now() < deadline; pause *= 2) {
      await clock.sleep(Math.min(pause, LAST_RETRY_MS), signal);
      answer = await this.#ask(stopQueueingCommand(name), signal);
    }
    if (/^ok$/m.test(answer)) return;
    logger.warn('multipathd did not stop a map from queueing; device-mapper is told itself', { name, answer });
    const { exitCode, stderr } = await this.#answer(failIfNoPathCommand(name), signal);
    if (exitCode !== 0) logger.warn('A map may still queue', { name, exitCode, stderr: stderr.trim() });
  }

  /**
   * Asks again while something that passes by, such as udev, has the map open: "map in use" is then gone in a moment.
   * @throws {VolumeError} `CLEANUP_INCOMPLETE` when the kernel still has the map: the words and the exit status of multipath prove nothing
   */
  async remove(map: MultipathMap, signal: AbortSignal): Promise<void> {
    const { clock, files, logger } = this.#parts;
    const uuid = `/sys/class/block/${nameOf(map)}/dm/uuid`;
    const isGone = async (): Promise<true | undefined> => ((await files.readText(uuid)) === `mpath-${map.wwid}` ? undefined : true);
    const deadline = clock.now() + REMOVE_MS;
    let command = deleteMapCommand(map.name);
    for (let pause = FIRST_RETRY_MS; ; pause = Math.min(pause * 2, LAST_RETRY_MS)) {
      const result = await this.#answer(command, signal);
      const answer = wordsOf(result);
      if ((await until(isGone, { clock, timeoutMs: pause, signal })) === true) break;
      if (result.exitCode !== 0 || pause >= LAST_REQUEST_MS) command = removeMapCommand(map.name);
      if (clock.now() < deadline) continue;
      throw new VolumeError('CLEANUP_INCOMPLETE', `Cannot remove the multipath map ${map.name}: ${answer === '' ? 'the kernel still has it' : answer}`, { hint: `multipath ${shellWords('-f', map.name)}`, details: { map: map.name, wwid: map.wwid } });
    }
    logger.info('Map removed', { name: map.name, wwid: map.wwid });
  }

  /**
   * After the disks are gone: multipathd lets go of them, so that its late news about an old `sda` cannot take a new one away (LP1924652, LP2136842);
   * the WWID leaves the wwids file when it was this library that entered it.
   */
  async forget(wwid: Wwid, disks: readonly DevicePath[], signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    const names = disks.map((path) => path.slice('/dev/'.length));
    let listed = names;
    for (let pause = FIRST_FORGET_MS; listed.length > 0; pause *= 2) {
      const lines = (await this.#ask(listPathsCommand(), signal)).split(/\s+/);
      listed = names.filter((name) => lines.includes(name));
      if (listed.length === 0 || pause > LAST_FORGET_MS) break;
      await clock.sleep(pause, signal);
    }
    for (const name of listed) await this.#ask(forgetPathCommand(name), signal);
    if (!(await this.#added.has(wwid))) return;
    await this.#ask(forgetWwidCommand(wwid), signal);
    await this.#added.drop(wwid);
  }

  async #remember(wwid: Wwid, signal: AbortSignal): Promise<void> {
    const known = (await this.#parts.files.readText(WWIDS)) ?? '';
    // what follows the id means nothing (multipath-tools, libmultipath/wwids.c, lookup_wwid)
    if (known.split('\n').some((line) => line.startsWith(`/${wwid}/`))) return;
    await this.#added.put(wwid); // before the entry is made: one that a crash leaves is then known as ours
    await this.#ask(rememberWwidCommand(wwid), signal);
  }

  async #usersNow(map: MultipathMap, signal: AbortSignal): Promise<readonly DeviceUser[]> {
    const [member] = map.members;
    const view: MapView = (member === undefined ? undefined : await readMapOver(member, this.#parts.files)) ?? { map, ready: false, partitions: [] };
    const tops = view.partitions.length === 0 ? [map.path] : view.partitions;
    const below = [...(tops.includes(map.path) ? [] : [map.path]), ...view.map.members.map(({ path }) => path)];
    const users = await Promise.all([
      ...tops.map(async (path) => await this.#usersAt(path, signal)),
      ...below.map(async (path) => (await this.#usersAt(path, signal)).filter(({ pid }) => pid !== 0)),
    ]);
    return users.flat().filter((user, index, all) => all.findIndex(({ pid, name }) => pid === user.pid && name === user.name) === index);
  }

  async #usersAt(path: DevicePath, signal: AbortSignal): Promise<readonly DeviceUser[]> {
    const number = await this.#parts.files.readText(`/sys/class/block/${path.slice('/dev/'.length)}/dev`);
    return await this.#parts.users.usersOf(path, number === undefined ? [] : [number], signal);
  }

  /** What multipath or multipathd said. What is so afterwards is read in the kernel. */
  async #ask(command: Command, signal: AbortSignal): Promise<string> {
    return wordsOf(await this.#answer(command, signal));
  }

  async #answer(command: Command, signal: AbortSignal): Promise<CommandResult> {
    return await this.#parts.commands.run(command, signal);
  }
}

function wordsOf({ stdout, stderr }: Pick<CommandResult, 'stdout' | 'stderr'>): string {
  return `${stdout}${stderr}`.trim();
}

/** By its words and its exit status alike. "timeout" is none: it comes alone, or below "fail" (multipathd/uxlsnr.c, default_reply). */
function isRefusal(result: CommandResult): boolean {
  const words = wordsOf(result);
  return !/\btimeout\b/.test(words) && (result.exitCode !== 0 || /\bfail\b/.test(words));
}

function notResized(map: MultipathMap, sizeBytes: bigint, words: string): VolumeError {
  return new VolumeError('RESIZE_FAILED', `Cannot resize the multipath map ${map.name}: its paths have ${sizeBytes} bytes and it has ${map.sizeBytes}; multipathd says ${quoted(words)}`, {
    hint: `multipathd resize map ${shellWords(map.name)}; its log names the path that it does not agree with`, details: { map: map.name, wwid: map.wwid, oldSizeBytes: Number(map.sizeBytes), newSizeBytes: Number(sizeBytes) },
  });
}

function nameOf({ path }: { readonly path: DevicePath }): string {
  return path.slice('/dev/'.length);
}
