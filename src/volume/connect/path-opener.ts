import type { NonEmpty } from '../../base/brand.js';
import type { Logger } from '../../base/logger.js';
import { isVolumeError, VolumeError } from '../../base/volume-error.js';
import type { ChapCredentials } from '../../connection/chap-credentials.js';
import type { TargetPath } from '../../connection/target-path.js';
import type { ScsiDisk } from '../../device/block-device.js';
import type { LogicalUnit } from '../../device/find-disk.js';
import type { LinuxBlockDevices } from '../../device/linux-block-devices.js';
import type { MultipathMaps } from '../../device/multipath/multipath-maps.js';
import type { Clock } from '../../host/clock.js';
import { isStuckWrite } from '../../host/kernel-writes.js';
import { pollUntil } from '../../host/poll-until.js';
import type { Iface } from '../../iface/iface.js';
import type { OpenedSession, OpenIscsiInitiator } from '../../initiator/open-iscsi-initiator.js';
import { isSessionOf, type Session } from '../../initiator/session.js';
import { isTransportFailure } from '../../preflight/transport-failure.js';
import type { PathCandidate } from '../../preflight/plan-logins.js';
import { UNDO_MS, UndoLog } from '../undo-log.js';
import type { VolumeGuard } from './volume-guard.js';

export interface OpenerParts {
  readonly initiator: OpenIscsiInitiator;
  readonly devices: LinuxBlockDevices;
  readonly maps: MultipathMaps;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly loginTimeoutMs: number;
}

/** How the first path that works is to be opened. */
export interface FirstPathRequest {
  readonly chap: ChapCredentials | undefined;
  readonly guard: VolumeGuard;
  /** Gets what takes the path away again. */
  readonly undo: UndoLog;
}

/** One path, open. */
export interface VolumePath {
  readonly path: TargetPath;
  readonly session: Session;
  readonly disk: ScsiDisk;
}

/** Nobody waits for a session that is looked at in the background: the host has better to do than to look often. */
const RECOVERY_LOOK_MS = 500;

/** Opens a path: session, then disk; and takes back what a path that failed has left. */
export class PathOpener {
  readonly #parts: OpenerParts;

  constructor(parts: OpenerParts) {
    this.#parts = parts;
  }

  /** The first way that works, in their order. */
  async openFirst(
    ways: NonEmpty<PathCandidate>,
    { chap, guard, undo: all }: FirstPathRequest,
    signal: AbortSignal,
  ): Promise<VolumePath> {
    const failures: VolumeError[] = [];
    for (const way of ways) {
      const undo = new UndoLog();
      try {
        const session = (await this.sessionOf(way, signal)) ?? (await this.#login(way, chap, undo, signal));
        const disk = await this.diskOf(way.path, session, { undo, guard }, signal);
        all.adopt(undo);
        return { path: way.path, session, disk };
      } catch (error) {
        const final = await undo.after(error);
        if (!isVolumeError(final) || !(mayTryNextPath(final) || isStuckWrite(final))) throw final;
        failures.push(final);
      }
    }
    throw summaryOf(failures);
  }

  /**
   * The session that is there, healthy.
   * @throws {VolumeError} `TRANSPORT_MISMATCH`; `PORTAL_UNREACHABLE` when it does not recover
   */
  async sessionOf({ path, iface }: PathCandidate, signal: AbortSignal): Promise<Session | undefined> {
    const present = await this.presentSession({ path, iface });
    return present === undefined ? undefined : await this.#healthy(requireTransport(present, iface), signal);
  }

  /** The session that is there, healthy or not. */
  async presentSession({ path, iface }: Pick<PathCandidate, 'path' | 'iface'>): Promise<Session | undefined> {
    const key = { ...path, iface: iface.name };
    return (await this.#parts.initiator.sessions()).find((session) => isSessionOf(session, key));
  }

  /**
   * Waits in the background for a session in recovery, as long as a login would take.
   * @throws {VolumeError} `PORTAL_UNREACHABLE` when it does not recover, or is gone
   */
  async recovered({ id, target }: Session, signal: AbortSignal): Promise<void> {
    const { clock, initiator, loginTimeoutMs } = this.#parts;
    for (const deadline = clock.now() + loginTimeoutMs; ;) {
      const now = (await initiator.sessions()).find((session) => session.id === id);
      if (now?.state === 'LOGGED_IN') return;
      if (now === undefined || clock.now() >= deadline)
        throw new VolumeError(
          'PORTAL_UNREACHABLE',
          `Cannot wait any longer for the session ${id} to ${target}: ` +
            (now === undefined ? 'it is gone' : `it did not recover in ${loginTimeoutMs / 1000} s`),
        );
      await clock.sleep(Math.min(RECOVERY_LOOK_MS, Math.max(1, deadline - clock.now())), signal);
    }
  }

  /**
   * The disk of the path, with a step in the log that takes it away again when it was not there before.
   * @throws {VolumeError} as appear(); `DEVICE_MISMATCH` when something else on this host goes by its WWID
   */
  async diskOf(
    path: TargetPath,
    session: Session,
    { undo, guard }: { readonly undo: UndoLog; readonly guard: VolumeGuard },
    signal: AbortSignal,
  ): Promise<ScsiDisk> {
    const { devices } = this.#parts;
    const before = await devices.findUnit(session, path.lun);
    if (before === undefined) {
      // a unit that was there before may have users
      undo.add(async () => {
        const unit = await devices.findUnit(session, path.lun);
        if (unit !== undefined) await this.#remove(session, unit, AbortSignal.timeout(UNDO_MS));
      });
    }
    const disk = await devices.appear(session, path.lun, signal, before);
    requireSame(before?.disk, disk);
    await guard.requireAlone(disk, signal);
    return disk;
  }

  /**
   * At once: multipathd would put a disk that is refused below the map of the volume whose WWID it has, and a guest
   * would write to it. Where it has done so, the disk leaves that first.
   */
  async #remove(session: Session, { address, path }: LogicalUnit, signal: AbortSignal): Promise<void> {
    const { devices, maps } = this.#parts;
    const map = path === undefined ? undefined : await maps.over({ path });
    if (map !== undefined && path !== undefined) await maps.takeOut(map, { path }, signal);
    await devices.remove(session, address, signal);
    if (map !== undefined && path !== undefined) await maps.waitForPathRemoval(map, [path], signal);
  }

  async #login(
    { path, iface }: PathCandidate,
    chap: ChapCredentials | undefined,
    undo: UndoLog,
    signal: AbortSignal,
  ): Promise<Session> {
    const { initiator } = this.#parts;
    const opened = await initiator.login(path, iface, chap, signal);
    undo.add(async () => {
      await this.undoLogin(opened);
    });
    return opened.session;
  }

  /** Ends the session that login() made, unless another tool has put a unit on it since: then it is that one's too. */
  async undoLogin(opened: OpenedSession): Promise<void> {
    const { devices, initiator, logger } = this.#parts;
    const { made, session } = opened;
    if (made && (await devices.countUnits(session)) > 0) {
      logger.warn('A session stays: there is a unit on it that this call did not bring', {
        session: session.id,
        target: session.target,
      });
      return;
    }
    await initiator.undoLogin(opened, AbortSignal.timeout(UNDO_MS));
  }

  /** A session in recovery counts as one only when it recovers in the time that a login would have. */
  async #healthy(session: Session, signal: AbortSignal): Promise<Session> {
    const { clock, initiator, loginTimeoutMs } = this.#parts;
    const same = async (): Promise<Session | undefined> =>
      (await initiator.sessions()).find(({ id, state }) => id === session.id && state === 'LOGGED_IN');
    const healthy = await pollUntil(same, { clock, timeoutMs: loginTimeoutMs, signal });
    if (healthy !== undefined) return healthy;
    throw new VolumeError(
      'PORTAL_UNREACHABLE',
      `Cannot use the session ${session.id} to ${session.target}: it is ${session.state} and did not recover in ` +
        `${loginTimeoutMs / 1000} s`,
    );
  }
}

/** A session of that name may run over another transport: its iface record was changed since. */
function requireTransport(session: Session, { name, transport }: Iface): Session {
  if (session.transport === transport) return session;
  throw new VolumeError(
    'TRANSPORT_MISMATCH',
    `Cannot use the session ${session.id} to ${session.target}: the iface ${name} asks for ${transport} and the ` +
      `kernel runs it over ${session.transport}`,
    {
      hint: 'the iface record was changed while the session was up: disconnect its volumes first',
    },
  );
}

/**
 * A disk that was there could not be asked before, and is another volume now that it can: what uses it is for the next
 * call to see.
 */
function requireSame(before: ScsiDisk | undefined, { path, wwid }: ScsiDisk): void {
  if (before === undefined || before.wwid === wwid) return;
  throw new VolumeError(
    'DEVICE_MISMATCH',
    `Cannot use ${path}: it is ${wwid ?? 'a unit without a WWID'} now; expected ${before.wwid ?? 'no WWID'}`,
    {
      hint: 'the storage put another volume under the LUN while the session was down: connect again',
      details: { device: path, found: wwid, expected: before.wwid },
    },
  );
}

/**
 * Another portal may answer where this one did not; it will not know another password, and the transport is the same.
 */
function mayTryNextPath({ code }: VolumeError): boolean {
  return (
    code === 'PORTAL_UNREACHABLE' ||
    code === 'LOGIN_REFUSED' ||
    code === 'DEVICE_NOT_FOUND' ||
    code === 'COMMAND_FAILED'
  );
}

/**
 * One error for several paths: that of the first which is not the transport's, since another transport could not mend
 * it.
 */
export function summaryOf(failures: readonly VolumeError[]): VolumeError {
  const [first, ...others] = failures;
  if (first === undefined) throw new RangeError('Cannot sum up no failures');
  if (others.length === 0) return first;
  const { code, hint } = failures.find((failure) => !isTransportFailure(failure)) ?? first;
  return new VolumeError(code, `Cannot connect the volume through any of its ${failures.length} portals`, {
    cause: new AggregateError(failures),
    ...(hint === undefined ? {} : { hint }),
  });
}
