import { isNonEmpty, type NonEmpty } from '../base/brand.js';
import { errorChain } from '../base/error-chain.js';
import { grouped } from '../base/grouped.js';
import { throwIfAborted } from '../base/aborted.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { ChapCredentials } from '../connection/chap-credentials.js';
import { formatPortal } from '../connection/portal.js';
import type { MultipathMap } from '../device/block-device.js';
import type { MultipathMaps } from '../device/multipath-maps.js';
import { until } from '../host/until.js';
import type { PortalLogin } from '../initiator/open-iscsi-initiator.js';
import { isSessionOf } from '../initiator/session.js';
import { PathAttempt } from './path-attempt.js';
import { summaryOf } from './path-failures.js';
import type { OpenerParts, OpenPath, PathOpener, Way } from './path-opener.js';
import { requireOneVolume } from './require-one-volume.js';
import { UNDO_MS, UndoLog } from './undo-log.js';

export interface MultipathOpenerParts extends OpenerParts {
  readonly maps: MultipathMaps;
  readonly opener: PathOpener;
}

/** How the paths are to be opened. */
export interface MultipathRequest {
  readonly chap: ChapCredentials | undefined;
  /** Paths that are open already: they stay, whatever becomes of the others. */
  readonly present: readonly OpenPath[];
  /** Refuses to do without a map. */
  readonly enforce: boolean;
}

export interface OpenedPaths {
  readonly paths: NonEmpty<OpenPath>;
  readonly map: MultipathMap | undefined;
  readonly warnings: readonly string[];
  /** When the logins that nobody waited for have ended; `undefined` when there are none. */
  readonly late: Promise<void> | undefined;
}

/** Once the map is there, a login that is still under way has this long: a dead portal must not hold the volume up. */
const LATE_LOGIN_MS = 50;
/** A volume that is there lacks nothing by it, and can wait longer for the paths that it lacks. */
const MISSING_LOGIN_MS = 1_000;
/** Once the map is there, a disk of a session that is up has this long: the kernel shows one in milliseconds, or its path is sick. */
const LATE_DISK_MS = 5_000;

/** Opens the paths of a volume beside each other and has multipathd put a map over them. */
export class MultipathOpener {
  readonly #parts: MultipathOpenerParts;

  constructor(parts: MultipathOpenerParts) {
    this.#parts = parts;
  }

  /**
   * Gives the volume as soon as its first path and the map are there. What cannot be opened is undone and told in words; a login that is still under
   * way is left to itself.
   * @throws {VolumeError} as login() and appear() when no path can be opened; `DEVICE_MISMATCH` when they lead to different volumes;
   *   `MULTIPATH_UNAVAILABLE` when there is no map, under `enforce`
   */
  async open(ways: readonly Way[], request: MultipathRequest, signal: AbortSignal): Promise<OpenedPaths> {
    const attempts = await this.#begin(ways, request.chap, signal);
    const undo = new UndoLog();
    try {
      const first = request.present[0] ?? (await firstOf(attempts));
      const map = await this.#assemble(first, undo, signal);
      await this.#settle(attempts, map === undefined ? undefined : request.present.length === 0 ? LATE_LOGIN_MS : MISSING_LOGIN_MS, signal);
      const paths = openPaths(request.present, attempts);
      requireOneVolume(paths.map(({ disk }) => disk));
      if (map === undefined) return await this.#withoutMap(first, request, { attempts, assembly: undo }, signal);
      return { paths, map: await this.#parts.maps.join(map, paths.map(({ disk }) => disk), signal), warnings: warningsOf(attempts, paths.length), late: lateOf(attempts) };
    } catch (error) {
      await Promise.all(attempts.map(({ done }) => done));
      const all = new UndoLog();
      for (const attempt of attempts) all.adopt(attempt.undo);
      all.adopt(undo);
      throw await all.after(error);
    }
  }

  /** Every way at once: those over one iface to one target by one login. */
  async #begin(ways: readonly Way[], chap: ChapCredentials | undefined, signal: AbortSignal): Promise<readonly PathAttempt[]> {
    const { initiator } = this.#parts;
    const sessions = await initiator.sessions();
    const absent = ways.filter(({ path, iface }) => !sessions.some((session) => isSessionOf(session, { ...path, iface: iface.name })));
    const logins = new Map<Way, Promise<PortalLogin>>();
    for (const group of grouped(absent, ({ path, iface }) => `${path.target} ${iface.name}`)) {
      const [{ iface }] = group;
      const batch = initiator.loginAll(mapped(group, ({ path }) => path), iface, chap, signal);
      for (const [index, way] of group.entries()) logins.set(way, batch.then((list) => at(list, index)));
    }
    return ways.map((way) => new PathAttempt(way, logins.get(way), this.#parts, signal));
  }

  async #assemble({ disk }: OpenPath, undo: UndoLog, signal: AbortSignal): Promise<MultipathMap | undefined> {
    const { maps } = this.#parts;
    if ((await maps.over(disk)) === undefined) {
      undo.add(async () => {
        const late = AbortSignal.timeout(UNDO_MS);
        const made = await maps.over(disk);
        if (made !== undefined) await maps.remove(made, late);
        if (disk.wwid !== undefined) await maps.forget(disk.wwid, [], late);
      });
    }
    return await maps.assemble(disk, signal);
  }

  /** @param loginMs how long a login may still take; to its end where there is no map, since then all ways but one are taken back */
  async #settle(attempts: readonly PathAttempt[], loginMs: number | undefined, signal: AbortSignal): Promise<void> {
    if (loginMs !== undefined) {
      await this.#whileAny(attempts, 'logging-in', loginMs, signal);
      await Promise.all(attempts.filter(({ state }) => state.kind === 'logging-in').map((attempt) => attempt.leave()));
      await this.#whileAny(attempts, 'finding-disk', LATE_DISK_MS, signal);
      await Promise.all(attempts.filter(({ state }) => state.kind === 'finding-disk').map((attempt) => attempt.leave()));
    }
    await Promise.all(attempts.map(({ done }) => done));
    throwIfAborted(signal);
  }

  /** Two disks of one volume without a map would be two ways to corrupt it: one path stays. */
  async #withoutMap(first: OpenPath, { chap, present, enforce }: MultipathRequest, { attempts, assembly }: { readonly attempts: readonly PathAttempt[]; readonly assembly: UndoLog }, signal: AbortSignal): Promise<OpenedPaths> {
    const reason = first.disk.wwid === undefined ? `${first.disk.path} does not say who it is` : `multipathd made no map of ${first.disk.wwid}`;
    if (enforce) throw new VolumeError('MULTIPATH_UNAVAILABLE', `Cannot connect the volume over several paths: ${reason}`, { hint: 'multipathd show config local shows its blacklist; multipathd show paths, what it makes of the disks' });
    const kept = attempts.find(({ state }) => state.kind === 'open' && state.path === first);
    const undo = new UndoLog();
    for (const attempt of attempts) if (attempt !== kept) undo.adopt(attempt.undo);
    undo.adopt(assembly);
    const failures = await undo.run();
    if (failures.length > 0) throw new VolumeError('CLEANUP_INCOMPLETE', 'Cannot take back the paths that are not used', { cause: new AggregateError(failures) });
    if (kept !== undefined) await this.#parts.initiator.makeAlone(first.session, kept.way.iface, chap, signal);
    return { paths: isNonEmpty(present) ? present : [first], map: undefined, warnings: [`the volume has one path only: ${reason}`], late: undefined };
  }

  async #whileAny(attempts: readonly PathAttempt[], kind: 'logging-in' | 'finding-disk', timeoutMs: number, signal: AbortSignal): Promise<void> {
    await until(async () => (attempts.some(({ state }) => state.kind === kind) ? undefined : true), { clock: this.#parts.clock, timeoutMs, signal });
  }
}

/** @throws the summary of all failures when there is no such path */
async function firstOf(attempts: readonly PathAttempt[]): Promise<OpenPath> {
  try {
    return await Promise.any(attempts.map(async (attempt) => {
      await attempt.done;
      if (attempt.state.kind === 'open') return attempt.state.path;
      throw new RangeError('Not open');
    }));
  } catch {
    const errors = failuresOf(attempts);
    const strange = errors.find((error) => error instanceof Error && !isVolumeError(error));
    throw strange instanceof Error ? strange : summaryOf(errors.filter((error) => isVolumeError(error)));
  }
}

function openPaths(present: readonly OpenPath[], attempts: readonly PathAttempt[]): NonEmpty<OpenPath> {
  const paths = [...present, ...attempts.flatMap(({ state }) => (state.kind === 'open' ? [state.path] : []))];
  if (isNonEmpty(paths)) return paths;
  throw new RangeError('No path is open');
}

function warningsOf(attempts: readonly PathAttempt[], open: number): readonly string[] {
  const missing = attempts.flatMap(({ way: { path, iface }, state }) => {
    const place = `${formatPortal(path.portal)} over ${iface.name}`;
    if (state.kind === 'failed') return [`${place}: ${errorChain(state.error)}`];
    return state.kind === 'left' ? [`${place}: no answer yet, it joins when there is one`] : [];
  });
  return missing.length === 0 ? [] : [`${open} of ${open + missing.length} paths are open; ${missing.join('; ')}`];
}

function lateOf(attempts: readonly PathAttempt[]): Promise<void> | undefined {
  const logins = attempts.flatMap(({ state }) => (state.kind === 'left' ? [state.login.ended] : []));
  return logins.length === 0 ? undefined : Promise.all(logins).then(() => undefined);
}

function failuresOf(attempts: readonly PathAttempt[]): readonly unknown[] {
  return attempts.flatMap(({ state }) => (state.kind === 'failed' ? [state.error] : []));
}

function mapped<Item, Result>([first, ...others]: NonEmpty<Item>, change: (item: Item) => Result): NonEmpty<Result> {
  return [change(first), ...others.map(change)];
}

function at<Item>(list: readonly Item[], index: number): Item {
  const item = list[index];
  if (item === undefined) throw new RangeError(`No item ${index}`);
  return item;
}
