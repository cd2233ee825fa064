import type { NonEmpty } from '../base/brand.js';
import type { Logger } from '../base/logger.js';
import { SharedLook } from '../base/shared-look.js';
import { isVolumeError } from '../base/volume-error.js';
import type { ChapCredentials } from '../connection/chap-credentials.js';
import type { TargetName } from '../connection/target-name.js';
import type { TargetPath } from '../connection/target-path.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import type { VolumeEvents } from '../events/volume-events.js';
import type { Clock } from '../host/clock.js';
import type { CommandRunner } from '../host/command.js';
import type { FileSystem } from '../host/file-system.js';
import { KernelWrites } from '../host/kernel-writes.js';
import type { Iface } from '../iface/iface.js';
import type { ChapByArgument } from './records/chap-by-argument.js';
import { readIscsidDefaults } from './records/iscsid-defaults.js';
import type { LentRecord } from './records/lent-record.js';
import { type LoginLimits, nodeSettings } from './login-settings.js';
import { Logins, type OpenedSession, type PortalLogin } from './logins.js';
import { Logouts } from './logouts.js';
import { NodeDatabase } from './records/node-database.js';
import { replacementTimeoutIn } from './records/node-record.js';
import type { OwnRecord } from './records/node-records.js';
import { whenNoneIsPending } from './pending-commands.js';
import { readSessions } from './read-sessions.js';
import type { Session, SessionKey } from './session.js';

export type { OpenedSession, PortalLogin } from './logins.js';

export interface InitiatorParts extends LoginLimits {
  readonly commands: CommandRunner;
  readonly files: FileSystem;
  readonly database: OpenIscsiDatabase;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stateDirectory: string;
  readonly events: VolumeEvents;
  /** How CHAP secrets get into records, where that is not to be by their files. */
  readonly chapByArgument?: ChapByArgument | undefined;
}

/** Beyond the login itself. */
const PENDING_MARGIN_MS = 10_000;

export type LogoutPolicy = 'always' | 'after-removal' | 'never';

/** The host's iSCSI initiator: sessions from sysfs, records as files, login and logout through iscsiadm. */
export class OpenIscsiInitiator {
  readonly #parts: InitiatorParts;
  readonly #database: NodeDatabase;
  readonly #sessions: SharedLook<readonly Session[]>;
  readonly #logins: Logins;
  readonly #logouts: Logouts;

  constructor(parts: InitiatorParts) {
    this.#parts = parts;
    this.#database = new NodeDatabase(parts);
    this.#sessions = new SharedLook(async () => await readSessions(parts.files));
    const shared = { ...parts, nodes: this.#database, sessions: async () => await this.sessions() };
    this.#logouts = new Logouts(shared);
    this.#logins = new Logins({ ...shared, logouts: this.#logouts });
  }

  /** As they were after the call: calls that come at once share a look. */
  async sessions(): Promise<readonly Session[]> {
    return await this.#sessions.take();
  }

  /**
   * Makes the record and the session. When it fails, the record is as it was before.
   * @throws {VolumeError} `LOGIN_AUTH_FAILED`, `LOGIN_REFUSED`, `PORTAL_UNREACHABLE`, `TRANSPORT_UNAVAILABLE`,
   * `TRANSPORT_MISMATCH`,
   *   `INITIATOR_UNAVAILABLE`, `DATABASE_LOCKED`, `PERMISSION_DENIED`
   */
  async login(
    path: TargetPath,
    iface: Iface,
    chap: ChapCredentials | undefined,
    signal: AbortSignal,
  ): Promise<OpenedSession> {
    return await this.#logins.login(path, iface, chap, signal);
  }

  /**
   * Begins to log in to several portals of one target over one iface. Each session is a promise of its own, so that a
   * dead portal holds no other up. One process does it where the target's records for the iface are exactly these and
   * ours, else one for each portal.
   * @throws as login(), when no login could be begun
   */
  async loginAll(
    paths: NonEmpty<TargetPath>,
    iface: Iface,
    chap: ChapCredentials | undefined,
    signal: AbortSignal,
  ): Promise<readonly PortalLogin[]> {
    return await this.#logins.loginAll(paths, iface, chap, signal);
  }

  /**
   * Ends a session and removes its record when that is ours. Quiet when the session is gone.
   * @throws {VolumeError} `LOGOUT_FAILED`
   */
  async logout(session: Session, signal: AbortSignal): Promise<void> {
    await this.#logouts.logout(session, signal);
  }

  /**
   * Ends sessions of one target over one iface: with one process where the host has no other such session, else with
   * one for each.
   */
  async logoutAll(sessions: NonEmpty<Session>, signal: AbortSignal): Promise<void> {
    await this.#logouts.logoutAll(sessions, signal);
  }

  /**
   * For a session that was opened as one of several and is the only one now: it may be away for as long as iscsid.conf
   * says, since what waits on it has nowhere else to go. Its record, if ours, is that of a session of its own. The
   * kernel takes it from a session that is logged in (Linux, drivers/scsi/scsi_transport_iscsi.c,
   * store_priv_session_recovery_tmo).
   */
  async convertToSinglePath(
    session: Session,
    iface: Iface,
    chap: ChapCredentials | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { files, logger } = this.#parts;
    const seconds = replacementTimeoutIn(await readIscsidDefaults(files));
    try {
      await new KernelWrites(this.#parts).write(
        'recovery_tmo',
        `/sys/class/iscsi_session/session${session.id}`,
        String(seconds),
        signal,
      );
    } catch (error) {
      if (!isVolumeError(error)) throw error;
      logger.warn('A session keeps the replacement timeout of one of several', {
        session: session.id,
        reason: error.message,
      });
    }
    if (await this.#database.isOurs(session))
      await this.#database.put({ ...session, iface }, nodeSettings(this.#parts, { chap, use: 'alone' }), signal);
  }

  /**
   * Waits for what killed processes have begun at these targets.
   * @returns false where it goes on still after the time of a login
   */
  async whenNoneIsPending(targets: readonly TargetName[], signal: AbortSignal): Promise<boolean> {
    const { clock, files, loginAttempts = 1, loginTimeoutMs } = this.#parts;
    const timeoutMs = loginAttempts * loginTimeoutMs + PENDING_MARGIN_MS;
    return await whenNoneIsPending(targets, { files, clock, timeoutMs }, signal);
  }

  /** The targets of which open-iscsi's database has any record. */
  async recordedTargets(): Promise<readonly TargetName[]> {
    return await this.#database.records.targets();
  }

  /** Administrators' records that have our settings, for a login that goes on or was killed. */
  async lentRecords(): Promise<readonly LentRecord[]> {
    return await this.#database.lentRecords();
  }

  /** To be called under the lock of the record's target. */
  async giveBack(record: LentRecord, signal: AbortSignal): Promise<void> {
    await this.#database.giveBackLent(record, signal);
  }

  /** The records that this library has made for the target, over whatever iface. */
  async ownRecordsOf(target: TargetName): Promise<readonly OwnRecord[]> {
    return await this.#database.records.ownRecordsOf(target);
  }

  /**
   * When a session that carries nothing may be ended: `always` when its record is ours, or it has none and so is
   * nobody's; `after-removal` of a volume from it when an administrator made the record and starts it by hand; `never`
   * when the record says that the session shall be there from boot on.
   */
  async logoutPolicy(key: SessionKey): Promise<LogoutPolicy> {
    const foreign = (await this.#database.records.find(key)).filter((record) => !record.ours);
    if (foreign.length === 0) return 'always';
    return foreign.every(({ text }) => /^node\.startup = manual$/m.test(text)) ? 'after-removal' : 'never';
  }

  /** Takes back what login() did: the session, unless it was there before, and whatever became of the record. */
  async undoLogin({ session, made, record }: OpenedSession, signal: AbortSignal): Promise<void> {
    if (made) await this.logout(session, signal);
    await this.#database.undo(record, signal);
  }

  /** Removes a record of ours that no session uses. @returns whether there was one */
  async forget(key: SessionKey, signal: AbortSignal): Promise<boolean> {
    return (await this.#database.removeOurs(key, signal)) > 0;
  }
}
