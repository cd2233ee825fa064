import { throwIfAborted } from '../../base/aborted.js';
import { isNonEmpty, type NonEmpty } from '../../base/brand.js';
import { errorChain } from '../../base/error-chain.js';
import { grouped } from '../../base/grouped.js';
import { isVolumeError, VolumeError } from '../../base/volume-error.js';
import type { ChapCredentials } from '../../connection/chap-credentials.js';
import { formatPortal } from '../../connection/portal.js';
import type { MapId, MultipathMap } from '../../device/block-device.js';
import type { Assembly } from '../../device/multipath/map-assembly.js';
import type { MultipathMaps } from '../../device/multipath/multipath-maps.js';
import { parseMapId } from '../../device/multipath/multipathd.js';
import { pollUntil } from '../../host/poll-until.js';
import type { PortalLogin } from '../../initiator/open-iscsi-initiator.js';
import { isSessionOf } from '../../initiator/session.js';
import type { PathCandidate } from '../../preflight/plan-logins.js';
import type { NoteKeeper } from './note-keeper.js';
import { type AttemptState, PathAttempt } from './path-attempt.js';
import { type OpenerParts, type VolumePath, type PathOpener, summaryOf } from './path-opener.js';
import { requireOneVolume } from '../require-one-volume.js';
import { requireSizeOf, sizeWarnings } from '../require-size.js';
import { UNDO_MS, UndoLog } from '../undo-log.js';
import type { VolumeGuard } from './volume-guard.js';

export interface MultipathOpenerParts extends OpenerParts {
  readonly maps: MultipathMaps;
  readonly opener: PathOpener;
}

/** How the paths are to be opened. */
export interface MultipathRequest {
  readonly chap: ChapCredentials | undefined;
  /** Paths that are open already: they stay, whatever becomes of the others. */
  readonly present: readonly VolumePath[];
  /** Refuses to do without a map. */
  readonly enforce: boolean;
  readonly guard: VolumeGuard;
  readonly note: NoteKeeper;
  /** Paths that are there and do not say who they are, in words. */
  readonly silent: readonly string[];
  /**
   * Hears when the logins that nobody waited for will have ended, also where the volume could not be opened; and when a
   * session that was down is up.
   */
  readonly onLeft: (ended: (signal: AbortSignal) => Promise<void>) => void;
}

export interface OpenedPaths {
  readonly paths: NonEmpty<VolumePath>;
  readonly map: MultipathMap | undefined;
  readonly warnings: readonly string[];
}

/** What has to be done without. */
interface WithoutMap {
  readonly attempts: readonly PathAttempt[];
  readonly assembly: Extract<Assembly, { readonly kind: 'none' }>;
  readonly undo: UndoLog;
}

/**
 * Once the map is there, a login that is still under way, or a session in recovery, has this long: a dead portal must
 * not hold the volume up.
 */
export const LATE_LOGIN_MS = 50;
/** A volume that is there lacks nothing by it, and can wait longer for the paths that it lacks. */
export const MISSING_LOGIN_MS = 1_000;
/**
 * Once the map is there, a disk of a session that is up has this long: the kernel shows one in milliseconds, or its
 * path is sick.
 */
export const LATE_DISK_MS = 5_000;

/** Opens the paths of a volume beside each other and has multipathd put a map over them. */
export class MultipathOpener {
  readonly #parts: MultipathOpenerParts;

  constructor(parts: MultipathOpenerParts) {
    this.#parts = parts;
  }

  /**
   * Gives the volume as soon as its first path and the map are there. What cannot be opened is undone and told in
   * words; a login that is still under way is left to itself.
   * @throws {VolumeError} as login() and appear() when no path can be opened; `DEVICE_MISMATCH` when they lead to
   * different volumes;
   *   `MULTIPATH_UNAVAILABLE` when there is no map, under `enforce`
   */
  async open(ways: readonly PathCandidate[], request: MultipathRequest, signal: AbortSignal): Promise<OpenedPaths> {
    const attempts = await this.#begin(ways, request, signal);
    const undo = new UndoLog();
    try {
      const first = request.present[0] ?? (await firstOf(attempts));
      const assembly = await this.#assemble(first, request, undo, signal);
      await this.#settle(
        attempts,
        assembly.kind === 'none' ? undefined : request.present.length === 0 ? LATE_LOGIN_MS : MISSING_LOGIN_MS,
        signal,
      );
      const mismatch = failuresOf(attempts).find((error) => isVolumeError(error, 'DEVICE_MISMATCH'));
      if (mismatch !== undefined) throw mismatch;
      const paths = openPaths(request.present, attempts);
      const disks = paths.map(({ disk }) => disk);
      requireOneVolume(disks);
      if (assembly.kind === 'none') return await this.#withoutMap(first, request, { attempts, assembly, undo }, signal);
      const map = await this.#parts.maps.join(assembly.map, disks, signal);
      await request.guard.requireOwn(map, first.disk, signal);
      requireSizeOf(map, disks);
      this.#leave(attempts, request);
      for (const { state } of attempts) if (state.kind === 'away') request.onLeft(state.recovered);
      return {
        paths,
        map,
        warnings: [
          ...missingWarnings([...request.silent, ...missingOf(attempts)], paths.length),
          ...sizeWarnings(map, disks),
        ],
      };
    } catch (error) {
      await leaveAll(attempts, 'recovering');
      await Promise.all(attempts.map(({ done }) => done));
      const all = new UndoLog();
      for (const attempt of attempts) all.adopt(attempt.undo);
      all.adopt(undo);
      const final = await all.after(error);
      this.#leave(attempts, request);
      throw final;
    }
  }

  /** Every way at once: those over one iface to one target by one login. */
  async #begin(
    ways: readonly PathCandidate[],
    { chap, guard }: MultipathRequest,
    signal: AbortSignal,
  ): Promise<readonly PathAttempt[]> {
    const { initiator } = this.#parts;
    const sessions = await initiator.sessions();
    const absent = ways.filter(
      ({ path, iface }) => !sessions.some((session) => isSessionOf(session, { ...path, iface: iface.name })),
    );
    const logins = new Map<PathCandidate, Promise<PortalLogin>>();
    for (const group of grouped(absent, ({ path, iface }) => `${path.target} ${iface.name}`)) {
      const [{ iface }] = group;
      const batch = initiator.loginAll(
        mapped(group, ({ path }) => path),
        iface,
        chap,
        signal,
      );
      for (const [index, way] of group.entries())
        logins.set(
          way,
          batch.then((list) => at(list, index)),
        );
    }
    return ways.map((way) => new PathAttempt(way, logins.get(way), { ...this.#parts, guard }, signal));
  }

  /** The note comes before the map: a map that loses all its disks is found by it. */
  async #assemble(
    { disk }: VolumePath,
    { guard, note }: MultipathRequest,
    undo: UndoLog,
    signal: AbortSignal,
  ): Promise<Assembly> {
    const { maps } = this.#parts;
    const present = await maps.over(disk);
    if (present === undefined) {
      await guard.requireAlone(disk, signal);
      await note.keep(disk, disk.wwid === undefined ? undefined : parseMapId(disk.wwid), undo);
      undo.add(async () => {
        const made = await maps.over(disk);
        if (made !== undefined && (await guard.mayRemove(made))) await maps.remove(made, AbortSignal.timeout(UNDO_MS));
      });
    }
    const entered = (id: MapId): void => {
      undo.addFirst(async () => {
        await maps.forgetIds([id], AbortSignal.timeout(UNDO_MS));
      });
    };
    const assembly = await maps.assemble(disk, entered, signal);
    if (assembly.kind === 'none') return assembly;
    await guard.requireOwn(assembly.map, disk, signal);
    await note.keep(disk, assembly.map.id, undo);
    return assembly;
  }

  /** Their paths join the volume later, or go where it is gone. */
  #leave(attempts: readonly PathAttempt[], { onLeft }: MultipathRequest): void {
    const ended = lateOf(attempts);
    if (ended !== undefined) onLeft(() => ended);
  }

  /**
   * A session in recovery is left where there is no map too: nothing was done to it.
   * @param loginMs how long a login may still take; to its end where there is no map, since then all ways but one are
   * taken back
   */
  async #settle(attempts: readonly PathAttempt[], loginMs: number | undefined, signal: AbortSignal): Promise<void> {
    if (loginMs !== undefined) {
      await this.#whileAny(attempts, 'logging-in', loginMs, signal);
      await leaveAll(attempts, 'logging-in');
    }
    await this.#whileAny(attempts, 'recovering', LATE_LOGIN_MS, signal);
    await leaveAll(attempts, 'recovering');
    if (loginMs !== undefined) {
      await this.#whileAny(attempts, 'finding-disk', LATE_DISK_MS, signal);
      await leaveAll(attempts, 'finding-disk');
    }
    await Promise.all(attempts.map(({ done }) => done));
    throwIfAborted(signal);
  }

  /** Two disks of one volume without a map would be two ways to corrupt it: one path stays. */
  async #withoutMap(
    first: VolumePath,
    { chap, present, enforce, note }: MultipathRequest,
    { attempts, assembly: { reason, hint }, undo: made }: WithoutMap,
    signal: AbortSignal,
  ): Promise<OpenedPaths> {
    if (enforce)
      throw new VolumeError('MULTIPATH_UNAVAILABLE', `Cannot connect the volume over several paths: ${reason}`, {
        hint,
      });
    const kept = attempts.find(({ state }) => state.kind === 'open' && state.path === first);
    const undo = new UndoLog();
    for (const attempt of attempts) if (attempt !== kept) undo.adopt(attempt.undo);
    undo.adopt(made);
    const failures = await undo.run();
    if (failures.length > 0)
      throw new VolumeError('CLEANUP_INCOMPLETE', 'Cannot take back the paths that are not used', {
        cause: new AggregateError(failures),
      });
    await note.keep(first.disk, undefined, kept?.undo ?? new UndoLog());
    if (kept !== undefined)
      await this.#parts.initiator.convertToSinglePath(first.session, kept.way.iface, chap, signal);
    return {
      paths: isNonEmpty(present) ? present : [first],
      map: undefined,
      warnings: [`the volume has one path only: ${reason}`],
    };
  }

  async #whileAny(
    attempts: readonly PathAttempt[],
    kind: AttemptState['kind'],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    await pollUntil(async () => (attempts.some(({ state }) => state.kind === kind) ? undefined : true), {
      clock: this.#parts.clock,
      timeoutMs,
      signal,
    });
  }
}

/** @throws the summary of all failures when there is no such path; a `DEVICE_MISMATCH` at once, for it condemns all */
async function firstOf(attempts: readonly PathAttempt[]): Promise<VolumePath> {
  const first = await Promise.any(
    attempts.map(async (attempt) => {
      await attempt.done;
      const { state } = attempt;
      if (state.kind === 'open' || (state.kind === 'failed' && isVolumeError(state.error, 'DEVICE_MISMATCH')))
        return state;
      throw new RangeError('Not open');
    }),
  ).catch(() => undefined);
  if (first?.kind === 'open') return first.path;
  if (first?.kind === 'failed') throw first.error;
  const errors = failuresOf(attempts);
  const strange = errors.find((error) => error instanceof Error && !isVolumeError(error));
  throw strange instanceof Error ? strange : summaryOf(errors.filter((error) => isVolumeError(error)));
}

function openPaths(present: readonly VolumePath[], attempts: readonly PathAttempt[]): NonEmpty<VolumePath> {
  const paths = [...present, ...attempts.flatMap(({ state }) => (state.kind === 'open' ? [state.path] : []))];
  if (isNonEmpty(paths)) return paths;
  throw new RangeError('No path is open');
}

function missingOf(attempts: readonly PathAttempt[]): readonly string[] {
  return attempts.flatMap(({ way: { path, iface }, state }) => {
    const place = `${formatPortal(path.portal)} over ${iface.name}`;
    if (state.kind === 'failed') return [`${place}: ${errorChain(state.error)}`];
    if (state.kind === 'away')
      return [`${place}: its session ${state.session.id} is ${state.session.state}, it joins when that recovers`];
    return state.kind === 'left' ? [`${place}: no answer yet, it joins when there is one`] : [];
  });
}

/** @param missing each path that is not open, in words */
export function missingWarnings(missing: readonly string[], open: number): readonly string[] {
  return missing.length === 0 ? [] : [`${open} of ${open + missing.length} paths are open; ${missing.join('; ')}`];
}

async function leaveAll(attempts: readonly PathAttempt[], kind: AttemptState['kind']): Promise<void> {
  await Promise.all(attempts.filter(({ state }) => state.kind === kind).map((attempt) => attempt.leave()));
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
