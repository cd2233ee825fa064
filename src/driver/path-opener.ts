import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { IscsiConnection } from '../connection/iscsi-connection.js';
import type { TargetPath } from '../connection/target-path.js';
import type { ScsiDisk } from '../device/block-device.js';
import type { LinuxBlockDevices } from '../device/linux-block-devices.js';
import type { Clock } from '../host/clock.js';
import { until } from '../host/until.js';
import type { Iface } from '../iface/iface.js';
import type { OpenIscsiInitiator } from '../initiator/open-iscsi-initiator.js';
import { isSessionOf, type Session } from '../initiator/session.js';
import { UNDO_MS, UndoLog } from './undo-log.js';

export interface OpenerParts {
  readonly initiator: OpenIscsiInitiator;
  readonly devices: LinuxBlockDevices;
  readonly clock: Clock;
  readonly loginTimeoutMs: number;
}

/** One path, open. */
export interface OpenPath {
  readonly path: TargetPath;
  readonly session: Session;
  readonly disk: ScsiDisk;
}

/** Opens the paths of a connection over one iface: session, then disk; and takes back what a path that failed has left. */
export class PathOpener {
  readonly #parts: OpenerParts;

  constructor(parts: OpenerParts) {
    this.#parts = parts;
  }

  /** The first path that works, in the order of the connection. */
  async open({ paths, chap }: IscsiConnection, iface: Iface, signal: AbortSignal): Promise<OpenPath> {
    const failures: VolumeError[] = [];
    for (const path of paths) {
      const undo = new UndoLog();
      try {
        const session = await this.#sessionFor(path, { iface, chap, undo }, signal);
        const disk = await this.#diskOf(path, session, undo, signal);
        return { path, session, disk };
      } catch (error) {
        const final = await undo.after(error);
        if (!isVolumeError(final) || !mayTryNextPath(final)) throw final;
        failures.push(final);
      }
    }
    throw summary(failures);
  }

  async #sessionFor(path: TargetPath, { iface, chap, undo }: { readonly iface: Iface; readonly undo: UndoLog } & Pick<IscsiConnection, 'chap'>, signal: AbortSignal): Promise<Session> {
    const { initiator } = this.#parts;
    const key = { ...path, iface: iface.name };
    const present = (await initiator.sessions()).find((session) => isSessionOf(session, key));
    if (present !== undefined) return await this.#healthy(requireTransport(present, iface), signal);
    const { session, record } = await initiator.login(path, iface, chap, signal);
    undo.add(async () => {
      const late = AbortSignal.timeout(UNDO_MS);
      await initiator.logout(session, late);
      await initiator.undoRecord(record, late);
    });
    return session;
  }

  /** A session in recovery counts as one only when it recovers in the time that a login would have. */
  async #healthy(session: Session, signal: AbortSignal): Promise<Session> {
    const { clock, initiator, loginTimeoutMs } = this.#parts;
    const same = async (): Promise<Session | undefined> => (await initiator.sessions()).find(({ id, state }) => id === session.id && state === 'LOGGED_IN');
    const healthy = await until(same, { clock, timeoutMs: loginTimeoutMs, signal });
    if (healthy !== undefined) return healthy;
    throw new VolumeError('PORTAL_UNREACHABLE', `Cannot use the session ${session.id} to ${session.target}: it is ${session.state} and did not recover in ${loginTimeoutMs / 1000} s`);
  }

  async #diskOf(path: TargetPath, session: Session, undo: UndoLog, signal: AbortSignal): Promise<ScsiDisk> {
    const { devices } = this.#parts;
    const before = await devices.findUnit(session, path.lun);
    if (before === undefined) { // a unit that was there before may have users
      undo.add(async () => {
        const unit = await devices.findUnit(session, path.lun);
        if (unit !== undefined) await devices.remove(session, unit.address, AbortSignal.timeout(UNDO_MS));
      });
    }
    return await devices.appear(session, path.lun, signal);
  }
}

/** A session of that name may run over another transport: its iface record was changed since. */
function requireTransport(session: Session, { name, transport }: Iface): Session {
  if (session.transport === transport) return session;
  throw new VolumeError('TRANSPORT_MISMATCH', `Cannot use the session ${session.id} to ${session.target}: the iface ${name} asks for ${transport} and the kernel runs it over ${session.transport}`, {
    hint: 'the iface record was changed while the session was up: disconnect its volumes first',
  });
}

/** Another portal may answer where this one did not; it will not know another password, and the transport is the same. */
function mayTryNextPath({ code }: VolumeError): boolean {
  return code === 'PORTAL_UNREACHABLE' || code === 'LOGIN_REFUSED' || code === 'DEVICE_NOT_FOUND' || code === 'COMMAND_FAILED';
}

function summary(failures: readonly VolumeError[]): VolumeError {
  const [first, ...others] = failures;
  if (first === undefined) throw new RangeError('Cannot sum up no failures');
  if (others.length === 0) return first;
  const words = `Cannot connect the volume through any of its ${failures.length} portals`;
  return new VolumeError(first.code, words, { cause: new AggregateError(failures), ...(first.hint === undefined ? {} : { hint: first.hint }) });
}
