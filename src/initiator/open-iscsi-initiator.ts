import type { NonEmpty } from '../base/brand.js';
import { type Deferred, deferred } from '../base/deferred.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import { SharedLook } from '../base/shared-look.js';
import type { ChapCredentials } from '../connection/chap-credentials.js';
import { formatPortal, type Portal, samePortal } from '../connection/portal.js';
import type { TargetName } from '../connection/target-name.js';
import type { TargetPath } from '../connection/target-path.js';
import type { Logger } from '../base/logger.js';
import type { VolumeEvents } from '../events/volume-events.js';
import type { Clock } from '../host/clock.js';
import type { Command, CommandResult, CommandRunner } from '../host/command.js';
import type { FileSystem } from '../host/file-system.js';
import { until } from '../host/until.js';
import type { Iface } from '../iface/iface.js';
import type { IfaceName } from '../iface/iface-name.js';
import { describeProof } from '../database/database-location.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import type { ChapByArgument } from './chap-by-argument.js';
import { failedPortals, ISCSIADM_EXIT } from './iscsiadm-exit.js';
import {
  loginCommand,
  loginTargetCommand,
  logoutCommand,
  logoutSessionCommand,
  logoutTargetCommand,
} from './iscsiadm-commands.js';
import { readIscsidDefaults } from './iscsid-defaults.js';
import { loginError, lostLogin, unreadRecord } from './login-error.js';
import { NodeDatabase, type RecordChange } from './node-database.js';
import { type NodeSettings, replacementTimeoutIn } from './node-record.js';
import { provenSession, SYSFS_PATIENCE_MS } from './proven-session.js';
import { readAllSessions, readSessions } from './read-sessions.js';
import { isSessionOf, type Session, type SessionKey } from './session.js';

export interface InitiatorParts {
  readonly commands: CommandRunner;
  readonly files: FileSystem;
  readonly database: OpenIscsiDatabase;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: VolumeEvents;
  readonly loginTimeoutMs: number;
  /** How many times a login that is not answered is tried; once when absent. */
  readonly loginAttempts?: number;
  /** How long a session that is one of several may be away before its I/O fails; as iscsid.conf says when absent. */
  readonly multipathReplacementTimeoutSeconds?: number;
  /** How CHAP secrets get into records, where that is not to be by their files. */
  readonly chapByArgument?: ChapByArgument | undefined;
}

/** A session that login() made, and what it left in the database. */
export interface OpenedSession {
  readonly session: Session;
  readonly record: RecordChange;
}

/** A login that is under way. */
export interface PortalLogin {
  readonly key: SessionKey;
  /** Rejects as login() does, with everything undone; `undefined` once it was left. */
  readonly session: Promise<OpenedSession | undefined>;
  /** When iscsiadm has ended, well or not, also where it had to run again. */
  readonly ended: Promise<void>;
  /**
   * Nobody waits for it any more: it ends as it may. Without effect where an administrator's record has to be restored
   * after it.
   */
  readonly leave: () => void;
}

/** Whether the session is to be one of several of its volume, which changes how long it may be away. */
type SessionUse = 'alone' | 'one-of-several';

interface LoginWish {
  readonly iface: Iface;
  readonly chap: ChapCredentials | undefined;
  readonly use: SessionUse;
}

interface LoginRequest {
  readonly key: SessionKey;
  readonly iface: Iface;
  readonly record: RecordChange;
  /** Whether the initiator proves itself with a secret. */
  readonly proves: boolean;
}

/** A session that iscsiadm is making. */
interface AwaitedSession extends Deferred<undefined> {
  readonly key: SessionKey;
}

export type MayEnd = 'always' | 'after-removal' | 'never';

const SUCCEEDED: CommandResult = { exitCode: ISCSIADM_EXIT.ok, stdout: '', stderr: '' };
/** Beyond the login itself: open-iscsi waits up to 30 s for its database lock (usr/idbm.c). */
const COMMAND_MARGIN_MS = 40_000;
/**
 * What a login ends with whose connection broke: as its time passed, or as the time for another try did
 * (usr/initiator.c, iscsi_login_timedout and iscsi_login_eh).
 */
const LOST: readonly number[] = [ISCSIADM_EXIT.pduTimedOut, ISCSIADM_EXIT.connectionTimedOut];
/** Of a login that iscsiadm did not begin. */
const DATABASE_RETRIES = 8;
const DATABASE_PAUSE_MS = 100;
/** iscsid gives a logout 15 s before it drops the connection (node.conn[0].timeo.logout_timeout). */
const LOGOUT_MS = 30_000;
const LOGOUT_WAIT_MS = LOGOUT_MS + COMMAND_MARGIN_MS;

/** The host's iSCSI initiator: sessions from sysfs, records as files, login and logout through iscsiadm. */
export class OpenIscsiInitiator {
  readonly #parts: InitiatorParts;
  readonly #database: NodeDatabase;
  readonly #sessions: SharedLook<readonly Session[]>;

  constructor(parts: InitiatorParts) {
    this.#parts = parts;
    this.#database = new NodeDatabase(parts);
    this.#sessions = new SharedLook(async () => await readSessions(parts.files));
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
    const request = await this.#request(path, { iface, chap, use: 'alone' }, signal);
    return await this.#opened(request, this.#run(loginCommand(request.key, this.#loginMs), signal), signal);
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
    const requests = await this.#requests(paths, { iface, chap, use: 'one-of-several' }, signal);
    const [{ key }] = requests;
    const isExact =
      requests.length > 1 && !requests.some(isForeign) && (await this.#database.countOver(key)) === requests.length;
    if (!isExact)
      return requests.map((request) =>
        this.#portalLogin(request, this.#run(loginCommand(request.key, this.#loginMs), signal), {
          signal,
          up: undefined,
        }),
      );
    const running = this.#run(loginTargetCommand(key, this.#loginMs), signal);
    const awaited = new Set<AwaitedSession>();
    const logins = requests.map((request) => {
      const up = { key: request.key, ...deferred<undefined>() };
      awaited.add(up);
      return this.#portalLogin(request, running, {
        signal,
        up: {
          promise: up.promise,
          forget: () => {
            awaited.delete(up);
          },
        },
      });
    });
    this.#watch(awaited, running);
    return logins;
  }

  get #loginMs(): number {
    const { loginAttempts = 1, loginTimeoutMs } = this.#parts;
    return loginTimeoutMs * loginAttempts + COMMAND_MARGIN_MS;
  }

  async #request(
    { target, portal }: TargetPath,
    { iface, chap, use }: LoginWish,
    signal: AbortSignal,
  ): Promise<LoginRequest> {
    const record = await this.#database.put({ target, portal, iface }, this.#settings(chap, use), signal);
    const key = {
      target,
      portal,
      iface: iface.name,
      ...(record.recordedAddress === undefined ? {} : { recordedAddress: record.recordedAddress }),
    };
    return { key, iface, proves: chap !== undefined, record };
  }

  #settings(chap: ChapCredentials | undefined, use: SessionUse): NodeSettings {
    const { loginAttempts = 1, loginTimeoutMs, multipathReplacementTimeoutSeconds } = this.#parts;
    return {
      loginTimeoutSeconds: Math.ceil(loginTimeoutMs / 1000),
      loginAttempts,
      replacementTimeoutSeconds: use === 'one-of-several' ? multipathReplacementTimeoutSeconds : undefined,
      chap,
    };
  }

  async #requests(
    [first, ...others]: NonEmpty<TargetPath>,
    wish: LoginWish,
    signal: AbortSignal,
  ): Promise<NonEmpty<LoginRequest>> {
    const requests: [LoginRequest, ...LoginRequest[]] = [await this.#request(first, wish, signal)];
    try {
      for (const path of others) requests.push(await this.#request(path, wish, signal));
      return requests;
    } catch (error) {
      for (const { record } of requests) await this.#database.undo(record, AbortSignal.timeout(COMMAND_MARGIN_MS));
      throw error;
    }
  }

  /** Of a login: it reads the whole database first. */
  async #run(command: Command, signal: AbortSignal): Promise<CommandResult> {
    const { commands, database } = this.#parts;
    return await database.whileReading(signal, async () => await commands.run(command, signal));
  }

  #portalLogin(
    request: LoginRequest,
    running: Promise<CommandResult>,
    {
      signal,
      up,
    }: {
      readonly signal: AbortSignal;
      readonly up: { readonly promise: Promise<undefined>; readonly forget: () => void } | undefined;
    },
  ): PortalLogin {
    const left = deferred<undefined>();
    const opened = this.#opened(
      request,
      up === undefined ? running : Promise.race([up.promise.then(() => SUCCEEDED), running]),
      signal,
      left.promise,
    );
    return {
      key: request.key,
      session: Promise.race([opened, left.promise]),
      ended: Promise.allSettled([running, opened]).then(() => undefined),
      leave: () => {
        // An administrator's record holds our settings until the login has ended: it is waited for, and restored.
        if (isForeign(request)) return;
        left.resolve(undefined);
        up?.forget();
      },
    };
  }

  /**
   * Tells of each session that it is up, while iscsiadm still waits for the others; until iscsiadm has ended, whose
   * word is better, or nobody waits for a session any more.
   */
  #watch(awaited: Set<AwaitedSession>, running: Promise<CommandResult>): void {
    const ended = new AbortController();
    running
      .catch(() => undefined)
      .finally(() => {
        ended.abort();
      })
      .catch(() => undefined);
    const look = async (): Promise<true | undefined> => {
      const sessions = await this.sessions();
      for (const one of awaited) {
        if (!sessions.some((session) => isSessionOf(session, one.key) && session.state === 'LOGGED_IN')) continue;
        one.resolve(undefined);
        awaited.delete(one);
      }
      return awaited.size === 0 ? true : undefined;
    };
    until(look, { clock: this.#parts.clock, timeoutMs: this.#loginMs, signal: ended.signal }).catch(() => undefined);
  }

  /**
   * A target ends the connection behind a refusal. LIO does so before an RDMA port has sent the refusal
   * (drivers/infiniband/ulp/isert/ib_isert.c, isert_wait_conn), and what is left is a connection that was made and
   * broke before the login was done. iscsid says nothing of it but lets the login's time pass (usr/initiator.c,
   * "ignoring conn error in login"), while the kernel shows a session that has failed; a portal that does not answer
   * shows none.
   */
  #watchForLoss(key: SessionKey, running: Promise<unknown>): { readonly isSeen: boolean } {
    const loss = { isSeen: false };
    const ended = new AbortController();
    running
      .catch(() => undefined)
      .finally(() => {
        ended.abort();
      })
      .catch(() => undefined);
    const look = async (): Promise<true | undefined> => {
      loss.isSeen = (await this.sessions()).some((session) => isSessionOf(session, key) && session.state === 'FAILED');
      return loss.isSeen ? true : undefined;
    };
    until(look, { clock: this.#parts.clock, timeoutMs: this.#loginMs, signal: ended.signal }).catch(() => undefined);
    return loss;
  }

  /** @param left once settled, nobody waits any more and nothing is undone: who comes next finds what there is */
  async #opened(
    { key, iface, record, proves }: LoginRequest,
    running: Promise<CommandResult>,
    signal: AbortSignal,
    left?: Promise<undefined>,
  ): Promise<OpenedSession> {
    const fate = { isLeft: false };
    left
      ?.then(() => {
        fate.isLeft = true;
      })
      .catch(() => undefined);
    let made = true; // until iscsiadm says that the session was there before
    const begun = this.#begun(key, running, fate, signal);
    const loss = proves && iface.transport !== 'tcp' ? this.#watchForLoss(key, begun) : { isSeen: false };
    try {
      const { status, result } = await begun;
      made = status !== ISCSIADM_EXIT.sessionExists;
      if (LOST.includes(status) && loss.isSeen) throw lostLogin(key, { ...result, exitCode: status });
      if (status === ISCSIADM_EXIT.noObjectsFound) await this.#requireRead(key, result);
      if (status !== ISCSIADM_EXIT.ok && made) throw loginError(key, { ...result, exitCode: status });
      const session = await provenSession(
        key,
        { iface, made, sessions: async () => await this.sessions(), clock: this.#parts.clock },
        signal,
      );
      // An administrator's record is theirs again at rest.
      if (isForeign({ record })) await this.#database.undo(record, signal);
      this.#parts.logger.info('Logged in', {
        target: key.target,
        portal: formatPortal(key.portal),
        iface: iface.name,
        transport: session.transport,
        session: session.id,
      });
      return { session, record: isForeign({ record }) ? { kind: 'unchanged' } : record };
    } catch (error) {
      if (isVolumeError(error))
        this.#parts.events.emit({
          kind: 'login-failed',
          iface: key.iface,
          target: key.target,
          portal: formatPortal(key.portal),
          code: error.code,
        });
      if (!fate.isLeft) await this.#takeBack(key, { record, made, first: error });
      throw error;
    }
  }

  /**
   * That iscsiadm finds no record, while ours is there, means that it looks elsewhere. Where it is found out anew: it
   * may have been upgraded since.
   */
  async #requireRead(key: SessionKey, result: CommandResult): Promise<void> {
    const { database } = this.#parts;
    if (!(await this.#database.find(key)).some(({ isNamed }) => isNamed)) return;
    const { root, proof } = await database.location();
    database.forget();
    throw unreadRecord(key, result, { root, proof: describeProof(proof), now: (await database.location()).root });
  }

  /**
   * A login that iscsiadm gave up before it began, as the record of another target came or went while it read them all,
   * is run again.
   */
  async #begun(
    key: SessionKey,
    running: Promise<CommandResult>,
    fate: { readonly isLeft: boolean },
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly result: CommandResult }> {
    const { clock } = this.#parts;
    // a database that somebody has locked is not waited for again and again: iscsiadm did that for 30 s
    const deadline = clock.now() + this.#loginMs;
    let result = await running;
    let status = await this.#statusOf(key, result);
    for (
      let again = 0;
      status === ISCSIADM_EXIT.databaseFailure && again < DATABASE_RETRIES && clock.now() < deadline && !fate.isLeft;
      again++
    ) {
      await clock.sleep(DATABASE_PAUSE_MS, signal);
      result = await this.#run(loginCommand(key, this.#loginMs), signal);
      status = await this.#statusOf(key, result);
    }
    return { status, result };
  }

  /**
   * Where one process logged in to several portals, its exit status is that of the first that failed: the others are
   * what iscsiadm says of them, or are up. "Database failure" is also said where the record of any other target went
   * while iscsiadm read them all; it has then logged in to what it found (usr/idbm.c, idbm_for_each_portal;
   * usr/iscsiadm.c, login_portals).
   */
  async #statusOf(key: SessionKey, { exitCode, stderr }: CommandResult): Promise<number> {
    const failed = failedPortals(stderr);
    const own = failed.get(failureKey(key));
    if (
      own !== undefined ||
      exitCode === ISCSIADM_EXIT.ok ||
      (failed.size === 0 && exitCode !== ISCSIADM_EXIT.databaseFailure)
    )
      return own ?? exitCode;
    return (await this.sessions()).some((session) => isSessionOf(session, key)) ? ISCSIADM_EXIT.ok : exitCode;
  }

  /**
   * For a session that was opened as one of several and is the only one now: it may be away for as long as iscsid.conf
   * says, since what waits on it has nowhere else to go. Its record, if ours, is that of a session of its own. The
   * kernel takes it from a session that is logged in (Linux, drivers/scsi/scsi_transport_iscsi.c,
   * store_priv_session_recovery_tmo).
   */
  async makeAlone(
    session: Session,
    iface: Iface,
    chap: ChapCredentials | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { files, logger } = this.#parts;
    const seconds = replacementTimeoutIn(await readIscsidDefaults(files));
    try {
      await files.writeAttribute(`/sys/class/iscsi_session/session${session.id}/recovery_tmo`, String(seconds), signal);
    } catch (error) {
      if (!isVolumeError(error)) throw error;
      logger.warn('A session keeps the replacement timeout of one of several', {
        session: session.id,
        reason: error.message,
      });
    }
    if (await this.#database.isOurs(session))
      await this.#database.put({ ...session, iface }, this.#settings(chap, 'alone'), signal);
  }

  /**
   * Ends a session and removes its record when that is ours. Quiet when the session is gone.
   * @throws {VolumeError} `LOGOUT_FAILED`
   */
  async logout(session: Session, signal: AbortSignal): Promise<void> {
    await this.#endAlone(session, signal);
    await this.#database.removeOurs(session, signal);
  }

  /**
   * Ends sessions of one target over one iface: with one process where the host has no other such session, else with
   * one for each.
   */
  async logoutAll(sessions: NonEmpty<Session>, signal: AbortSignal): Promise<void> {
    const [first] = sessions;
    const { sessions: all, foreign } = await readAllSessions(this.#parts.files);
    const alike = [...all, ...foreign].filter(({ target, iface }) => target === first.target && iface === first.iface);
    if (sessions.length === 1 || alike.some(({ id }) => !sessions.some((session) => session.id === id))) {
      for (const session of sessions) await this.logout(session, signal);
      return;
    }
    await this.#end(sessions, logoutTargetCommand(first, LOGOUT_WAIT_MS), signal);
    for (const session of sessions) await this.#database.removeOurs(session, signal);
  }

  /**
   * By the portal, unless iscsiadm would take another session for one to it: it goes by what addresses and names mean
   * to the resolver now (usr/iscsi_util.c,
   * iscsi_addr_match), and ends all that match.
   */
  async #endAlone(session: Session, signal: AbortSignal): Promise<void> {
    const others = (await this.sessions()).filter(
      ({ id, target, iface }) => id !== session.id && target === session.target && iface === session.iface,
    );
    const mayMatch = ({ portal }: Session): boolean =>
      samePortal(portal, session.portal) || portal.recordedAs !== undefined || session.portal.recordedAs !== undefined;
    const command = others.some(mayMatch)
      ? logoutSessionCommand(session.id, LOGOUT_WAIT_MS)
      : logoutCommand(session, LOGOUT_WAIT_MS);
    await this.#end([session], command, signal);
  }

  async #end(sessions: NonEmpty<Session>, command: Command, signal: AbortSignal): Promise<void> {
    const [{ target, iface }] = sessions;
    const { exitCode, stderr } = await this.#parts.commands.run(command, signal);
    const gone: readonly number[] = [
      ISCSIADM_EXIT.ok,
      ISCSIADM_EXIT.sessionNotFound,
      ISCSIADM_EXIT.noObjectsFound,
      ISCSIADM_EXIT.sysfsLookup,
      ISCSIADM_EXIT.sessionNotConnected,
    ];
    const ended =
      gone.includes(exitCode) &&
      (await until(async () => ((await this.#isAnyThere(sessions)) ? undefined : true), {
        clock: this.#parts.clock,
        timeoutMs: SYSFS_PATIENCE_MS,
        signal,
      }));
    const portals = sessions.map(({ portal }) => formatPortal(portal));
    if (ended !== true) {
      throw new VolumeError(
        'LOGOUT_FAILED',
        `Cannot log out of ${target} at ${portals.join(', ')} over ${iface}: iscsiadm ended with exit status ` +
          `${exitCode}`,
        {
          cause: stderr === '' ? undefined : new Error(stderr.trim()),
          details: { sessions: sessions.map(({ id }) => id), exitCode },
        },
      );
    }
    this.#parts.logger.info('Logged out', { target, portals, iface, sessions: sessions.map(({ id }) => id) });
  }

  /** The ifaces over which this library made a record for the portal, whatever the configuration says now. */
  async ownIfacesAt(path: TargetPath): Promise<readonly IfaceName[]> {
    return await this.#database.ownIfacesAt(path);
  }

  /** The portals of the target for which this library made a record, over whatever iface. */
  async ownPortalsOf(target: TargetName): Promise<readonly Portal[]> {
    return await this.#database.ownPortalsOf(target);
  }

  /**
   * When a session that carries nothing may be ended: `always` when its record is ours, or it has none and so is
   * nobody's; `after-removal` of a volume from it when an administrator made the record and starts it by hand; `never`
   * when the record says that the session shall be there from boot on.
   */
  async mayEnd(key: SessionKey): Promise<MayEnd> {
    const foreign = (await this.#database.find(key)).filter((record) => !record.ours);
    if (foreign.length === 0) return 'always';
    return foreign.every(({ text }) => /^node\.startup = manual$/m.test(text)) ? 'after-removal' : 'never';
  }

  /** Takes back what login() did: the session, and whatever became of the record. */
  async undoLogin({ session, record }: OpenedSession, signal: AbortSignal): Promise<void> {
    await this.logout(session, signal);
    await this.#database.undo(record, signal);
  }

  /** Removes a record of ours that no session uses. @returns whether there was one */
  async forget(key: SessionKey, signal: AbortSignal): Promise<boolean> {
    return (await this.#database.removeOurs(key, signal)) > 0;
  }

  async #takeBack(
    key: SessionKey,
    { record, made, first }: { readonly record: RecordChange; readonly made: boolean; readonly first: unknown },
  ): Promise<void> {
    const signal = AbortSignal.timeout(LOGOUT_WAIT_MS);
    try {
      const session = (await this.sessions()).find((candidate) => isSessionOf(candidate, key));
      if (made && session !== undefined) await this.#endAlone(session, signal);
      await this.#database.undo(record, signal);
    } catch (error) {
      throw new VolumeError(
        'CLEANUP_INCOMPLETE',
        `Cannot undo the login to ${key.target} at ${formatPortal(key.portal)}`,
        { cause: new AggregateError([first, error]) },
      );
    }
  }

  async #isAnyThere(sessions: readonly Session[]): Promise<boolean> {
    const kinds = await Promise.all(
      sessions.map(({ id }) => this.#parts.files.kind(`/sys/class/iscsi_session/session${id}`)),
    );
    return kinds.some((kind) => kind !== undefined);
  }
}

function isForeign({ record }: Pick<LoginRequest, 'record'>): boolean {
  return record.kind === 'changed' && !record.ours;
}

/** As iscsiadm names a portal that failed: by the record. */
function failureKey({ recordedAddress, portal: { address, port } }: SessionKey): string {
  return `${recordedAddress ?? address},${port}`;
}
