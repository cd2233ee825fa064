import type { NonEmpty } from '../../base/brand.js';
import { errorChain } from '../../base/error-chain.js';
import type { Logger } from '../../base/logger.js';
import { isVolumeError, VolumeError } from '../../base/volume-error.js';
import { formatPortal } from '../../connection/portal.js';
import type { MultipathMap, ScsiDisk } from '../../device/block-device.js';
import type { Wwid } from '../../device/wwid.js';
import type { Clock } from '../../host/clock.js';
import type { DeviceUser } from '../../host/device-users.js';
import { isStuckWrite } from '../../host/kernel-writes.js';
import { pollUntil } from '../../host/poll-until.js';
import type { ObserverParts, PathView, VolumeView } from '../observe-volume.js';
import type { VolumePath } from './path-opener.js';
import { requireOneVolume } from '../require-one-volume.js';
import { mapOfAnother } from '../strange-members.js';

export interface PresenceParts extends ObserverParts {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly loginTimeoutMs: number;
}

/** A path that is there and was not asked who it is. */
export interface SilentPath extends VolumePath {
  /** Why not. */
  readonly error: VolumeError;
}

/** The paths of a volume that are there, by what they have said of themselves in this call. */
export interface Presence {
  /** Each disk has said again who it is. */
  readonly present: readonly VolumePath[];
  /** Their sessions are down, so that the kernel would answer for them from memory. */
  readonly away: readonly SilentPath[];
  /** Their sessions are up, and the kernel does not return from the question. */
  readonly stuck: readonly SilentPath[];
}

/** Whether nothing of the volume is there. */
export function isAbsent({ present, away, stuck }: Presence): boolean {
  return present.length + away.length + stuck.length === 0;
}

/** Once one path has said who it is, the others have this long: a healthy one answers in milliseconds. */
export const LATE_ANSWER_MS = 5_000;

/** The paths of a volume that are there, in the order in which they were looked for. */
export function presentPaths({ paths }: VolumeView): readonly VolumePath[] {
  return paths.flatMap((view) => asOpenPath(view, view.unit?.disk));
}

/**
 * The paths that are there, once each disk has said again who it is, but for those that cannot: they hold up no other,
 * and prove nothing. Where the array has put another volume under the
 * LUN since, a disk that somebody still uses is refused, and one that nobody uses is taken away, so that it comes anew
 * as what it is.
 * @throws {VolumeError} `DEVICE_MISMATCH`
 */
export async function refreshedPaths(view: VolumeView, parts: PresenceParts, signal: AbortSignal): Promise<Presence> {
  const answers = await askAll(view.paths, parts, signal);
  const asked = answers.flatMap((answer) => (answer.kind === 'asked' ? [answer] : []));
  const silent = (kind: 'away' | 'stuck'): readonly SilentPath[] =>
    answers.flatMap((answer) => (answer.kind === kind ? [answer.silent] : []));
  const others = { away: silent('away'), stuck: silent('stuck') };
  const changed = asked.flatMap(({ path: { session, unit }, now }) => {
    if (session === undefined || unit?.disk === undefined || now === undefined) return [];
    const before = view.knownWwid ?? unit.disk.wwid;
    return now.wwid === before ? [] : [{ session, before, now }];
  });
  if (changed.length === 0) {
    const present = asked.flatMap(({ path, now }) => asOpenPath(path, now));
    requireOneVolume(present.map(({ disk }) => disk));
    return { present, ...others };
  }
  const isMember = (disk: ScsiDisk): boolean => view.map?.members.some(({ path }) => path === disk.path) === true;
  for (const { session, before, now } of changed) {
    const users =
      view.map !== undefined && isMember(now)
        ? await parts.maps.usersOf(view.map, signal)
        : await parts.devices.usersOf(session, now, signal);
    if (users.length > 0) throw mismatch(before, now, users);
  }
  if (view.map !== undefined && (view.map.members.length === 0 || changed.some(({ now }) => isMember(now))))
    await removeMap(view.map, view, parts, signal);
  for (const { session, before, now } of changed) {
    parts.logger.warn('Another volume is under a LUN that was left behind', { path: now.path, before, now: now.wwid });
    await parts.devices.remove(session, now.address, signal);
  }
  const present = asked.flatMap(({ path, now }) =>
    changed.some((one) => one.now === now) ? [] : asOpenPath(path, now),
  );
  return { present, ...others };
}

/**
 * The view once a session of paths that are away is up, so that they can be asked.
 * @throws {VolumeError} `PORTAL_UNREACHABLE` when none recovers in the time that a login would have
 */
export async function whenOneIsBack(
  view: VolumeView,
  [first, ...others]: NonEmpty<SilentPath>,
  { clock, initiator, loginTimeoutMs }: PresenceParts,
  signal: AbortSignal,
): Promise<VolumeView> {
  const ids = new Set([first, ...others].map(({ session }) => session.id));
  const sessions = await pollUntil(
    async () => {
      const now = await initiator.sessions();
      return now.some(({ id, state }) => ids.has(id) && state === 'LOGGED_IN') ? now : undefined;
    },
    { clock, timeoutMs: loginTimeoutMs, signal },
  );
  if (sessions === undefined) throw unreachable(first, loginTimeoutMs);
  return {
    ...view,
    paths: view.paths.map((path) => ({ ...path, session: sessions.find(({ id }) => id === path.session?.id) })),
  };
}

type Answer =
  | { readonly kind: 'asked'; readonly path: PathView; readonly now: ScsiDisk | undefined }
  | { readonly kind: 'away' | 'stuck'; readonly silent: SilentPath };

async function askAll(
  paths: readonly PathView[],
  parts: PresenceParts,
  signal: AbortSignal,
): Promise<readonly Answer[]> {
  const [late, ended] = [new AbortController(), new AbortController()];
  const limits = { signal: AbortSignal.any([signal, late.signal]), late: late.signal };
  const answers = paths.map(async (path) => await ask(path, parts, limits));
  void giveUpAfterFirst(answers, parts.clock, late, ended.signal);
  try {
    return await Promise.all(answers);
  } finally {
    ended.abort();
  }
}

async function giveUpAfterFirst(
  answers: readonly Promise<Answer>[],
  clock: Clock,
  late: AbortController,
  ended: AbortSignal,
): Promise<void> {
  try {
    await Promise.any(
      answers.map(async (answer) => {
        const { kind, now } = { now: undefined, ...(await answer) };
        if (kind !== 'asked' || now === undefined) throw new RangeError('No answer');
      }),
    );
    await clock.sleep(LATE_ANSWER_MS, ended);
    late.abort(
      new VolumeError(
        'COMMAND_TIMED_OUT',
        `Cannot use the disk: it did not say who it is within ${LATE_ANSWER_MS / 1000} s`,
      ),
    );
  } catch {
    // none has answered, or all have
  }
}

async function ask(
  path: PathView,
  { devices }: PresenceParts,
  { signal, late }: { readonly signal: AbortSignal; readonly late: AbortSignal },
): Promise<Answer> {
  const [open] = asOpenPath(path, path.unit?.disk);
  if (open === undefined) return { kind: 'asked', path, now: undefined };
  const { session, disk } = open;
  if (session.state !== 'LOGGED_IN') return { kind: 'away', silent: { ...open, error: unreachable(open) } };
  try {
    return { kind: 'asked', path, now: await devices.refresh(session, path.lun, disk, signal) };
  } catch (error) {
    const isLate = late.aborted && error === late.reason;
    if (!(isVolumeError(error) && (isLate || isStuckWrite(error)))) throw error;
    return { kind: 'stuck', silent: { ...open, error } };
  }
}

/** In words, for a warning. */
export function tellSilent({ path, session, error }: SilentPath): string {
  return `${formatPortal(path.portal)} over ${session.iface}: ${errorChain(error)}`;
}

function unreachable({ session, disk }: VolumePath, timeoutMs?: number): VolumeError {
  const wait = timeoutMs === undefined ? '' : ` and did not recover in ${timeoutMs / 1000} s`;
  return new VolumeError(
    'PORTAL_UNREACHABLE',
    `Cannot ask ${disk.path} who it is: its session ${session.id} to ${session.target} is ${session.state}${wait}`,
  );
}

/** Of what was there before. */
async function removeMap(
  map: MultipathMap,
  { note }: VolumeView,
  { maps }: PresenceParts,
  signal: AbortSignal,
): Promise<void> {
  if (map.members.length === 0) {
    const users = await maps.usersOf(map, signal);
    if (users.length > 0) throw mapOfAnother({ path: map.path, wwid: undefined }, map, users);
    await maps.stopQueueing(map, signal);
  }
  await maps.remove(map, signal);
  await maps.forgetIds([map.id, ...(note?.mapId === undefined ? [] : [note.mapId])], signal);
}

function asOpenPath(
  { key: { target, portal }, lun, session }: PathView,
  disk: ScsiDisk | undefined,
): readonly VolumePath[] {
  return session === undefined || disk === undefined ? [] : [{ path: { target, portal, lun }, session, disk }];
}

function mismatch(before: Wwid | undefined, now: ScsiDisk, users: readonly DeviceUser[]): VolumeError {
  const names = users.map(({ name }) => name).join(', ');
  return new VolumeError(
    'DEVICE_MISMATCH',
    `Cannot use ${now.path}: its LUN is now ${now.wwid ?? 'a unit without a WWID'}, and ${names} has it open as ` +
      (before ?? 'a unit without a WWID'),
    {
      hint: 'the storage put another volume under a LUN that is in use: detach what uses it first',
      details: { device: now.path, before, now: now.wwid, users },
    },
  );
}
