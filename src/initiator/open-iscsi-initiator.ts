import { VolumeError, type VolumeErrorCode } from '../base/volume-error.js';
import type { ChapCredentials } from '../connection/chap-credentials.js';
import { formatPortal } from '../connection/portal.js';
import type { TargetPath } from '../connection/target-path.js';
import type { Logger } from '../base/logger.js';
import type { Clock } from '../host/clock.js';
import type { CommandResult, CommandRunner } from '../host/command.js';
import type { FileSystem } from '../host/file-system.js';
import { until } from '../host/until.js';
import type { Iface } from '../iface/iface.js';
import { ISCSIADM_EXIT, loginFailure } from './iscsiadm-exit.js';
import { loginCommand, logoutCommand } from './iscsiadm-commands.js';
import { NodeDatabase, type RecordChange } from './node-database.js';
import { readSessions } from './read-sessions.js';
import { isSessionOf, type Session, type SessionKey } from './session.js';

export interface InitiatorParts {
  readonly commands: CommandRunner;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly loginTimeoutMs: number;
}

/** A session that login() made, and what it left in the database. */
export interface OpenedSession {
  readonly session: Session;
  readonly record: RecordChange;
}

export type MayEnd = 'always' | 'after-removal' | 'never';

/** The kernel takes a moment longer than iscsid to show or to drop a session. */
const SYSFS_PATIENCE_MS = 5_000;
/** Beyond the login itself: open-iscsi waits up to 30 s for its database lock (usr/idbm.c). */
const COMMAND_MARGIN_MS = 40_000;
/** iscsid gives a logout 15 s before it drops the connection (node.conn[0].timeo.logout_timeout). */
const LOGOUT_MS = 30_000;

/** The host's iSCSI initiator: sessions from sysfs, records as files, login and logout through iscsiadm. */
export class OpenIscsiInitiator {
  readonly #parts: InitiatorParts;
  readonly #database: NodeDatabase;

  constructor(parts: InitiatorParts) {
    this.#parts = parts;
    this.#database = new NodeDatabase(parts);
  }

  async sessions(): Promise<readonly Session[]> {
    return await readSessions(this.#parts.files);
  }

  /**
   * Makes the record and the session. When it fails, the record is as it was before.
   * @throws {VolumeError} `LOGIN_AUTH_FAILED`, `LOGIN_REFUSED`, `PORTAL_UNREACHABLE`, `TRANSPORT_UNAVAILABLE`, `TRANSPORT_MISMATCH`,
   *   `INITIATOR_UNAVAILABLE`, `DATABASE_LOCKED`, `PERMISSION_DENIED`
   */
  async login({ target, portal }: TargetPath, iface: Iface, chap: ChapCredentials | undefined, signal: AbortSignal): Promise<OpenedSession> {
    const key = { target, portal, iface: iface.name };
    const settings = { loginTimeoutSeconds: Math.ceil(this.#parts.loginTimeoutMs / 1000), chap };
    const record = await this.#database.put({ target, portal, iface }, settings, signal);
    let made = true; // until iscsiadm says that the session was there before
    try {
      const result = await this.#parts.commands.run(loginCommand(key, this.#parts.loginTimeoutMs + COMMAND_MARGIN_MS), signal);
      made = result.exitCode !== ISCSIADM_EXIT.sessionExists;
      if (result.exitCode !== ISCSIADM_EXIT.ok && result.exitCode !== ISCSIADM_EXIT.sessionExists) throw loginError(key, result);
      const session = await this.#provenSession(key, iface, signal);
      const isForeign = record.kind === 'changed' && !record.ours;
      if (isForeign) await this.#database.undo(record, signal); // an administrator's record is theirs again at rest
      this.#parts.logger.info('Logged in', { target, portal: formatPortal(portal), iface: iface.name, transport: session.transport, session: session.id });
      return { session, record: isForeign ? { kind: 'unchanged' } : record };
    } catch (error) {
      await this.#takeBack(key, { record, made, first: error });
      throw error;
    }
  }

  /** Ends a session and removes its record when that is ours. Quiet when the session is gone. @throws {VolumeError} `LOGOUT_FAILED` */
  async logout(session: Session, signal: AbortSignal): Promise<void> {
    await this.#end(session, signal);
    await this.#database.removeOurs(session, signal);
  }

  async #end(session: Session, signal: AbortSignal): Promise<void> {
    const { exitCode, stderr } = await this.#parts.commands.run(logoutCommand(session, LOGOUT_MS + COMMAND_MARGIN_MS), signal);
    const gone: readonly number[] = [ISCSIADM_EXIT.ok, ISCSIADM_EXIT.sessionNotFound, ISCSIADM_EXIT.noObjectsFound, ISCSIADM_EXIT.sysfsLookup, ISCSIADM_EXIT.sessionNotConnected];
    const ended = gone.includes(exitCode) && (await until(async () => (await this.#isThere(session)) ? undefined : true, { clock: this.#parts.clock, timeoutMs: SYSFS_PATIENCE_MS, signal }));
    if (ended !== true) {
      throw new VolumeError('LOGOUT_FAILED', `Cannot log out of ${session.target} at ${formatPortal(session.portal)} over ${session.iface}: iscsiadm ended with exit status ${exitCode}`, {
        cause: stderr === '' ? undefined : new Error(stderr.trim()),
        details: { session: session.id, exitCode },
      });
    }
    this.#parts.logger.info('Logged out', { target: session.target, portal: formatPortal(session.portal), iface: session.iface, session: session.id });
  }

  /**
   * When a session that carries nothing may be ended: `always` when its record is ours, or it has none and so is nobody's;
   * `after-removal` of a volume from it when an administrator made the record and starts it by hand; `never` when the record says that
   * the session shall be there from boot on.
   */
  async mayEnd(key: SessionKey): Promise<MayEnd> {
    const foreign = (await this.#database.find(key)).filter((record) => !record.ours);
    if (foreign.length === 0) return 'always';
    return foreign.every(({ text }) => /^node\.startup = manual$/m.test(text)) ? 'after-removal' : 'never';
  }

  async undoRecord(change: RecordChange, signal: AbortSignal): Promise<void> {
    await this.#database.undo(change, signal);
  }

  /** Removes a record of ours that no session uses. @returns whether there was one */
  async forget(key: SessionKey, signal: AbortSignal): Promise<boolean> {
    return (await this.#database.removeOurs(key, signal)) > 0;
  }

  /** A record that names a transport proves nothing: the kernel's session does. */
  async #provenSession(key: SessionKey, iface: Iface, signal: AbortSignal): Promise<Session> {
    const session = await until(
      async () => (await this.sessions()).find((candidate) => isSessionOf(candidate, key) && candidate.state === 'LOGGED_IN'),
      { clock: this.#parts.clock, timeoutMs: SYSFS_PATIENCE_MS, signal },
    );
    if (session === undefined) {
      throw new VolumeError('TRANSPORT_MISMATCH', `Cannot find the session to ${key.target} at ${formatPortal(key.portal)} over ${key.iface} that iscsiadm has just made`, {
        hint: 'compare the names that /sys/class/iscsi_session/session*/ifacename holds with iscsi_iface',
      });
    }
    if (session.transport !== iface.transport) {
      throw new VolumeError('TRANSPORT_MISMATCH', `Cannot use the session to ${key.target} at ${formatPortal(key.portal)}: the iface ${key.iface} asks for ${iface.transport} and the kernel runs it over ${session.transport}`);
    }
    return session;
  }

  async #takeBack(key: SessionKey, { record, made, first }: { readonly record: RecordChange; readonly made: boolean; readonly first: unknown }): Promise<void> {
    const signal = AbortSignal.timeout(LOGOUT_MS + COMMAND_MARGIN_MS);
    try {
      const session = (await this.sessions()).find((candidate) => isSessionOf(candidate, key));
      if (made && session !== undefined) await this.#end(session, signal);
      await this.#database.undo(record, signal);
    } catch (error) {
      throw new VolumeError('CLEANUP_INCOMPLETE', `Cannot undo the login to ${key.target} at ${formatPortal(key.portal)}`, { cause: new AggregateError([first, error]) });
    }
  }

  async #isThere({ id }: Session): Promise<boolean> {
    return (await this.#parts.files.kind(`/sys/class/iscsi_session/session${id}`)) !== undefined;
  }
}

const HINTS: Readonly<Partial<Record<VolumeErrorCode, string>>> = {
  INITIATOR_UNAVAILABLE: 'systemctl start iscsid.socket',
  PORTAL_UNREACHABLE: 'check the address, the network on the way, and that the target is served there',
  LOGIN_AUTH_FAILED: 'check auth_username and auth_password against the target',
  LOGIN_REFUSED: 'check that the target exists and lets this initiator in (/etc/iscsi/initiatorname.iscsi)',
};

function loginError(key: SessionKey, { exitCode, stderr }: CommandResult): VolumeError {
  const { code, words } = loginFailure(exitCode);
  return new VolumeError(code, `Cannot log in to ${key.target} at ${formatPortal(key.portal)} over the iface ${key.iface}: ${words}`, {
    ...(stderr.trim() === '' ? {} : { cause: new Error(stderr.trim().replaceAll('\n', '; ')) }),
    details: { target: key.target, portal: formatPortal(key.portal), iface: key.iface, exitCode },
    ...(HINTS[code] === undefined ? {} : { hint: HINTS[code] }),
  });
}
