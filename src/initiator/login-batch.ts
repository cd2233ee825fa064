import { deferred } from '../base/deferred.js';
import { isVolumeError } from '../base/volume-error.js';
import { formatPortal } from '../connection/portal.js';
import type { VolumeEvents } from '../events/volume-events.js';
import type { Clock } from '../host/clock.js';
import type { Command, CommandResult } from '../host/command.js';
import { pollUntil } from '../host/poll-until.js';
import type { Iface } from '../iface/iface.js';
import { failedPortals, ISCSIADM_EXIT } from './iscsiadm-exit.js';
import { loginCommand } from './iscsiadm-commands.js';
import { loginError, lostLogin } from './login-error.js';
import { provenSession } from './proven-session.js';
import { isSessionOf, type Session, type SessionKey } from './session.js';

/** A portal that is to be logged in to, whose record is there. */
export interface LoginTask {
  readonly key: SessionKey;
  readonly iface: Iface;
  /** Whether the initiator proves itself with a secret. */
  readonly proves: boolean;
}

/** What has become of the login to a portal. `made` is false where iscsiadm says that the session was there before. */
export type LoginOutcome =
  | { readonly kind: 'up'; readonly session: Session; readonly made: boolean }
  | { readonly kind: 'failed'; readonly error: unknown; readonly made: boolean }
  /** Nobody waits for it any more: it ends as it may, and who comes next finds what there is. */
  | { readonly kind: 'left' };

export interface LoginBatchParts {
  /** Runs an iscsiadm that reads the whole database. */
  readonly run: (command: Command, signal: AbortSignal) => Promise<CommandResult>;
  /** @throws {VolumeError} where the record that iscsiadm did not find is there, as it looks elsewhere */
  readonly requireRead: (key: SessionKey, result: CommandResult) => Promise<void>;
  readonly sessions: () => Promise<readonly Session[]>;
  readonly clock: Clock;
  readonly events: VolumeEvents;
  /** What a login may take, with all that iscsiadm waits for. */
  readonly timeoutMs: number;
}

/**
 * What a login ends with whose connection broke: as its time passed, or as the time for another try did
 * (usr/initiator.c, iscsi_login_timedout and iscsi_login_eh).
 */
const LOST: readonly number[] = [ISCSIADM_EXIT.pduTimedOut, ISCSIADM_EXIT.connectionTimedOut];
/** Of a login that iscsiadm did not begin. */
const DATABASE_RETRIES = 8;
const DATABASE_PAUSE_MS = 100;

/** The login to one portal of a batch: `running` until it has an outcome, which then stays. */
export class BatchedLogin {
  readonly task: LoginTask;
  readonly outcome: Promise<LoginOutcome>;
  readonly #settle: (outcome: LoginOutcome) => void;
  #state: LoginOutcome | { readonly kind: 'running' } = { kind: 'running' };
  #wasLost = false;

  constructor(task: LoginTask) {
    this.task = task;
    const { promise, resolve } = deferred<LoginOutcome>();
    this.outcome = promise;
    this.#settle = resolve;
  }

  get kind(): LoginOutcome['kind'] | 'running' {
    return this.#state.kind;
  }

  /**
   * Whether the kernel has shown its session as failed. A target ends the connection behind a refusal. LIO does so
   * before an RDMA port has sent the refusal (drivers/infiniband/ulp/isert/ib_isert.c, isert_wait_conn), and what is
   * left is a connection that was made and broke before the login was done. iscsid says nothing of it but lets the
   * login's time pass (usr/initiator.c, "ignoring conn error in login"), while the kernel shows a session that has
   * failed; a portal that does not answer shows none.
   */
  get wasLost(): boolean {
    return this.#wasLost;
  }

  get mayBeLost(): boolean {
    return this.task.proves && this.task.iface.transport !== 'tcp';
  }

  /** Takes the first outcome; a later one changes nothing. */
  settle(outcome: LoginOutcome): void {
    if (this.#state.kind !== 'running') return;
    this.#state = outcome;
    this.#settle(outcome);
  }

  /** @param sessions as they are now, while iscsiadm runs */
  look(sessions: readonly Session[], isOneOfSeveral: boolean): void {
    const { key, iface } = this.task;
    for (const session of sessions.filter((candidate) => isSessionOf(candidate, key))) {
      if (session.state === 'FAILED' && this.mayBeLost) this.#wasLost = true;
      // One over another transport is judged once iscsiadm has said whether it made it.
      if (isOneOfSeveral && session.state === 'LOGGED_IN' && session.transport === iface.transport)
        this.settle({ kind: 'up', session, made: true });
    }
  }
}

/**
 * One iscsiadm that logs in to one or several portals of a target. While it runs, one loop looks at the kernel's
 * sessions, so that a dead portal holds no other up; its exit status decides what the loop has not seen.
 */
export class LoginBatch {
  readonly logins: readonly BatchedLogin[];
  /** When iscsiadm has ended, well or not, also where it had to run again. Never rejects. */
  readonly ended: Promise<void>;
  readonly #parts: LoginBatchParts;
  readonly #signal: AbortSignal;
  readonly #deadline: number;

  constructor(tasks: readonly LoginTask[], command: Command, parts: LoginBatchParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
    this.#deadline = parts.clock.now() + parts.timeoutMs;
    this.logins = tasks.map((task) => new BatchedLogin(task));
    this.ended = this.#run(command);
  }

  async #run(command: Command): Promise<void> {
    const ended = new AbortController();
    this.#watch(ended.signal);
    const running = this.#parts.run(command, this.#signal);
    await Promise.all(
      this.logins.map(async (login) => {
        await this.#conclude(login, running);
      }),
    );
    ended.abort();
  }

  #watch(ended: AbortSignal): void {
    const isOneOfSeveral = this.logins.length > 1;
    const watched = isOneOfSeveral ? this.logins : this.logins.filter(({ mayBeLost }) => mayBeLost);
    if (watched.length === 0) return;
    const look = async (): Promise<true | undefined> => {
      const sessions = await this.#parts.sessions();
      for (const login of watched) login.look(sessions, isOneOfSeveral);
      return watched.every(({ kind, wasLost }) => kind !== 'running' || wasLost) ? true : undefined;
    };
    const { clock, timeoutMs } = this.#parts;
    pollUntil(look, { clock, timeoutMs, signal: ended }).catch(() => undefined);
  }

  /** By iscsiadm's word, once it has ended. Never rejects. */
  async #conclude(login: BatchedLogin, running: Promise<CommandResult>): Promise<void> {
    const { key, iface } = login.task;
    let made = true; // until iscsiadm says that the session was there before
    try {
      const { status, result } = await this.#statusAfterRetries(login, running);
      if (login.kind === 'up') return;
      made = status !== ISCSIADM_EXIT.sessionExists;
      if (LOST.includes(status) && login.wasLost) throw lostLogin(key, { ...result, exitCode: status });
      if (status === ISCSIADM_EXIT.noObjectsFound) await this.#parts.requireRead(key, result);
      if (status !== ISCSIADM_EXIT.ok && made) throw loginError(key, { ...result, exitCode: status });
      if (login.kind === 'left') return;
      const { clock, sessions } = this.#parts;
      const session = await provenSession(key, { iface, made, sessions, clock }, this.#signal);
      login.settle({ kind: 'up', session, made });
    } catch (error) {
      if (login.kind !== 'up') this.#tell(key, error);
      login.settle({ kind: 'failed', error, made });
    }
  }

  #tell({ iface, target, portal }: SessionKey, error: unknown): void {
    if (!isVolumeError(error)) return;
    this.#parts.events.emit({
      kind: 'login-failed',
      iface,
      target,
      portal: formatPortal(portal),
      code: error.code,
    });
  }

  /**
   * A login that iscsiadm gave up before it began, as the record of another target came or went while it read them all,
   * is run again, alone; within the login's time: a database that somebody has locked iscsiadm has waited 30 s for.
   */
  async #statusAfterRetries(
    login: BatchedLogin,
    running: Promise<CommandResult>,
  ): Promise<{ readonly status: number; readonly result: CommandResult }> {
    const { key } = login.task;
    const { clock, run, timeoutMs } = this.#parts;
    let result = await running;
    let status = await this.#statusOf(login, result);
    for (
      let again = 0;
      status === ISCSIADM_EXIT.databaseFailure && again < DATABASE_RETRIES && login.kind === 'running';
      again++
    ) {
      if (clock.now() >= this.#deadline) break;
      await clock.sleep(DATABASE_PAUSE_MS, this.#signal);
      result = await run(loginCommand(key, timeoutMs), this.#signal);
      status = await this.#statusOf(login, result);
    }
    return { status, result };
  }

  /**
   * Where one process logged in to several portals, its exit status is that of the first that failed: the others are
   * what iscsiadm says of them, or are up. "Database failure" is also said where the record of any other target went
   * while iscsiadm read them all; it has then logged in to what it found (usr/idbm.c, idbm_for_each_portal;
   * usr/iscsiadm.c, login_portals).
   */
  async #statusOf({ kind, task: { key } }: BatchedLogin, { exitCode, stderr }: CommandResult): Promise<number> {
    if (kind === 'up') return ISCSIADM_EXIT.ok;
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
}

/** As iscsiadm names a portal that failed: by the record. */
function failureKey({ recordedAddress, portal: { address, port } }: SessionKey): string {
  return `${recordedAddress ?? address},${port}`;
}
