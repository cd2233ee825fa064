import type { NonEmpty } from '../base/brand.js';
import type { Logger } from '../base/logger.js';
import { VolumeError } from '../base/volume-error.js';
import type { ChapCredentials } from '../connection/chap-credentials.js';
import { formatPortal } from '../connection/portal.js';
import type { TargetPath } from '../connection/target-path.js';
import { describeProof } from '../database/database-location.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import type { VolumeEvents } from '../events/volume-events.js';
import type { Clock } from '../host/clock.js';
import type { Command, CommandResult, CommandRunner } from '../host/command.js';
import type { Iface } from '../iface/iface.js';
import { loginCommand, loginTargetCommand } from './iscsiadm-commands.js';
import { type BatchedLogin, LoginBatch, type LoginOutcome, type LoginTask } from './login-batch.js';
import { unreadRecord } from './login-error.js';
import { type LoginLimits, nodeSettings, type SessionUse } from './login-settings.js';
import { LOGOUT_WAIT_MS, type Logouts } from './logouts.js';
import type { NodeDatabase, RecordChange } from './records/node-database.js';
import { isSessionOf, type Session, type SessionKey } from './session.js';

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

/** A session that login() found made, and what it left in the database. */
export interface OpenedSession {
  readonly session: Session;
  /** False where the session was there before: whoever made it ends it. */
  readonly made: boolean;
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

interface LoginRequest extends LoginTask {
  readonly record: RecordChange;
}

/** Beyond the login itself: open-iscsi waits up to 30 s for its database lock (usr/idbm.c). */
const COMMAND_MARGIN_MS = 40_000;

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
    const [login] = this.#begin([request], loginCommand(request.key, this.#loginMs), signal);
    const opened = await login?.session;
    if (opened === undefined) throw new RangeError('A login that nobody can leave was left');
    return opened;
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
      requests.length > 1 &&
      !requests.some(isForeign) &&
      (await this.#parts.nodes.records.countOver(key)) === requests.length;
    return isExact
      ? this.#begin(requests, loginTargetCommand(key, this.#loginMs), signal)
      : requests.flatMap((request) => this.#begin([request], loginCommand(request.key, this.#loginMs), signal));
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

  #begin(requests: readonly LoginRequest[], command: Command, signal: AbortSignal): readonly PortalLogin[] {
    const { clock, commands, database, events, sessions } = this.#parts;
    const batch = new LoginBatch(
      requests,
      command,
      {
        run: async (one, until) => await database.whileReading(until, async () => await commands.run(one, until)),
        requireRead: async (key, result) => {
          await this.#requireRead(key, result);
        },
        sessions,
        clock,
        events,
        timeoutMs: this.#loginMs,
      },
      signal,
    );
    return requests.flatMap((request, index) => {
      const login = batch.logins[index];
      return login === undefined ? [] : [this.#portalLogin(request, login, batch, signal)];
    });
  }

  #portalLogin(request: LoginRequest, login: BatchedLogin, batch: LoginBatch, signal: AbortSignal): PortalLogin {
    const session = login.outcome.then(async (outcome) => await this.#opened(request, outcome, signal));
    return {
      key: request.key,
      session,
      ended: Promise.allSettled([batch.ended, session]).then(() => undefined),
      leave: () => {
        // An administrator's record holds our settings until the login has ended: it is waited for, and restored.
        if (!isForeign(request)) login.settle({ kind: 'left' });
      },
    };
  }

  async #opened(request: LoginRequest, outcome: LoginOutcome, signal: AbortSignal): Promise<OpenedSession | undefined> {
    const { key, record } = request;
    switch (outcome.kind) {
      case 'left':
        return undefined;
      case 'failed':
        await this.#takeBack(request, outcome, outcome.error);
        throw outcome.error;
      case 'up':
        break;
      default:
        return outcome satisfies never;
    }
    const { session, made } = outcome;
    try {
      // An administrator's record is theirs again at rest.
      if (isForeign(request)) await this.#parts.nodes.undo(record, signal);
    } catch (error) {
      await this.#takeBack(request, outcome, error);
      throw error;
    }
    this.#parts.logger.info('Logged in', {
      target: key.target,
      portal: formatPortal(key.portal),
      iface: key.iface,
      transport: session.transport,
      session: session.id,
    });
    return { session, made, record: isForeign(request) ? { kind: 'unchanged' } : record };
  }

  /**
   * That iscsiadm finds no record, while ours is there, means that it looks elsewhere. Where it is found out anew: it
   * may have been upgraded since.
   */
  async #requireRead(key: SessionKey, result: CommandResult): Promise<void> {
    const { database } = this.#parts;
    if (!(await this.#parts.nodes.records.find(key)).some(({ isNamed }) => isNamed)) return;
    const { root, proof } = await database.location();
    database.forget();
    throw unreadRecord(key, result, { root, proof: describeProof(proof), now: (await database.location()).root });
  }

  async #takeBack({ key, record }: LoginRequest, { made }: { readonly made: boolean }, first: unknown): Promise<void> {
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
