import type { NonEmpty } from '../base/brand.js';
import { deferred } from '../base/deferred.js';
import type { Logger } from '../base/logger.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { ChapCredentials } from '../connection/chap-credentials.js';
import { formatPortal } from '../connection/portal.js';
import type { TargetPath } from '../connection/target-path.js';
import { describeProof } from '../database/database-location.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import type { VolumeEvents } from '../events/volume-events.js';
import type { Clock } from '../host/clock.js';
import type { Command, CommandResult, CommandRunner } from '../host/command.js';
import type { Iface } from '../iface/iface.js';
import { failedPortals, ISCSIADM_EXIT } from './iscsiadm-exit.js';
import { loginCommand, loginTargetCommand } from './iscsiadm-commands.js';
import { loginError, lostLogin, unreadRecord } from './login-error.js';
import { type LoginLimits, nodeSettings, type SessionUse } from './login-settings.js';
import { LOGOUT_WAIT_MS, type Logouts } from './logouts.js';
import type { NodeDatabase, RecordChange } from './node-database.js';
import { provenSession } from './proven-session.js';
import { isSessionOf, type Session, type SessionKey } from './session.js';
import { type AwaitedSession, watchForLoss, watchForUp, type WatchParts } from './session-watch.js';

export interface LoginParts extends LoginLimits {
  readonly commands: CommandRunner;
  readonly database: OpenIscsiDatabase;
  readonly nodes: NodeDatabase;
  readonly sessions: () => Promise<readonly Session[]>;
  readonly logouts: Logouts;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: VolumeEvents;
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
/** Makes sessions, one or several of a target beside each other; what a login that fails did is undone. */
export class Logins {
  readonly #parts: LoginParts;

  constructor(parts: LoginParts) {
    this.#parts = parts;
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
      requests.length > 1 && !requests.some(isForeign) && (await this.#parts.nodes.countOver(key)) === requests.length;
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
    watchForUp(awaited, running, this.#watchParts);
    return logins;
  }

  get #loginMs(): number {
    const { loginAttempts = 1, loginTimeoutMs } = this.#parts;
    return loginTimeoutMs * loginAttempts + COMMAND_MARGIN_MS;
  }

  get #watchParts(): WatchParts {
    const { clock, sessions } = this.#parts;
    return { clock, sessions, timeoutMs: this.#loginMs };
  }

  async #request(
    { target, portal }: TargetPath,
    { iface, chap, use }: LoginWish,
    signal: AbortSignal,
  ): Promise<LoginRequest> {
    const record = await this.#parts.nodes.put(
      { target, portal, iface },
      nodeSettings(this.#parts, { chap, use }),
      signal,
    );
    const key = {
      target,
      portal,
      iface: iface.name,
      ...(record.recordedAddress === undefined ? {} : { recordedAddress: record.recordedAddress }),
    };
    return { key, iface, proves: chap !== undefined, record };
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
      for (const { record } of requests) await this.#parts.nodes.undo(record, AbortSignal.timeout(COMMAND_MARGIN_MS));
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
    const loss = proves && iface.transport !== 'tcp' ? watchForLoss(key, begun, this.#watchParts) : { isSeen: false };
    try {
      const { status, result } = await begun;
      made = status !== ISCSIADM_EXIT.sessionExists;
      if (LOST.includes(status) && loss.isSeen) throw lostLogin(key, { ...result, exitCode: status });
      if (status === ISCSIADM_EXIT.noObjectsFound) await this.#requireRead(key, result);
      if (status !== ISCSIADM_EXIT.ok && made) throw loginError(key, { ...result, exitCode: status });
      const session = await provenSession(
        key,
        { iface, made, sessions: async () => await this.#parts.sessions(), clock: this.#parts.clock },
        signal,
      );
      // An administrator's record is theirs again at rest.
      if (isForeign({ record })) await this.#parts.nodes.undo(record, signal);
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
    if (!(await this.#parts.nodes.find(key)).some(({ isNamed }) => isNamed)) return;
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
    return (await this.#parts.sessions()).some((session) => isSessionOf(session, key)) ? ISCSIADM_EXIT.ok : exitCode;
  }

  async #takeBack(
    key: SessionKey,
    { record, made, first }: { readonly record: RecordChange; readonly made: boolean; readonly first: unknown },
  ): Promise<void> {
    const signal = AbortSignal.timeout(LOGOUT_WAIT_MS);
    try {
      const session = (await this.#parts.sessions()).find((candidate) => isSessionOf(candidate, key));
      if (made && session !== undefined) await this.#parts.logouts.endAlone(session, signal);
      await this.#parts.nodes.undo(record, signal);
    } catch (error) {
      throw new VolumeError(
        'CLEANUP_INCOMPLETE',
        `Cannot undo the login to ${key.target} at ${formatPortal(key.portal)}`,
        { cause: new AggregateError([first, error]) },
      );
    }
  }
}

function isForeign({ record }: Pick<LoginRequest, 'record'>): boolean {
  return record.kind === 'changed' && !record.ours;
}

/** As iscsiadm names a portal that failed: by the record. */
function failureKey({ recordedAddress, portal: { address, port } }: SessionKey): string {
  return `${recordedAddress ?? address},${port}`;
}
