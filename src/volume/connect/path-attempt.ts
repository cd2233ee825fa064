import { VolumeError } from '../../base/volume-error.js';
import type { PortalLogin } from '../../initiator/open-iscsi-initiator.js';
import type { Session } from '../../initiator/session.js';
import type { VolumePath, PathOpener } from './path-opener.js';
import type { PathCandidate } from '../../preflight/plan-logins.js';
import { UndoLog } from '../undo-log.js';
import type { VolumeGuard } from './volume-guard.js';

export type AttemptState =
  | { readonly kind: 'logging-in' | 'finding-disk' }
  /** Its session is there, and may be down. */
  | { readonly kind: 'recovering' }
  | { readonly kind: 'open'; readonly path: VolumePath }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** Its login is under way and nobody waits for it any more. */
  | { readonly kind: 'left'; readonly login: PortalLogin }
  /** Its session is down, and nobody waits for it any more. */
  | {
      readonly kind: 'away';
      readonly session: Session;
      /** When it is up; rejects when it does not recover in the time that a login would have. */
      readonly recovered: (signal: AbortSignal) => Promise<void>;
    };

export interface AttemptParts {
  readonly opener: PathOpener;
  readonly guard: VolumeGuard;
}

/**
 * One way that is being opened beside others. What it did is in its undo log; when it fails, that is taken back at
 * once.
 */
export class PathAttempt {
  readonly way: PathCandidate;
  readonly undo = new UndoLog();
  /** When the state is final. Never rejects. */
  readonly done: Promise<void>;
  readonly #parts: AttemptParts;
  /** Absent where the session is there already. */
  readonly #login: Promise<PortalLogin> | undefined;
  readonly #stop = new AbortController();
  #state: AttemptState;
  #isLeft = false;

  constructor(way: PathCandidate, login: Promise<PortalLogin> | undefined, parts: AttemptParts, signal: AbortSignal) {
    this.way = way;
    this.#parts = parts;
    this.#login = login;
    this.#state = { kind: login === undefined ? 'recovering' : 'logging-in' };
    this.done = this.#run(AbortSignal.any([signal, this.#stop.signal]));
  }

  get state(): AttemptState {
    return this.#state;
  }

  /**
   * Waits no longer: for a login that is under way, which then ends as it may; for a session in recovery; or for a
   * disk, which makes the attempt fail.
   */
  async leave(): Promise<void> {
    if (this.#state.kind === 'logging-in') (await this.#login)?.leave();
    else if (this.#state.kind === 'recovering') {
      this.#isLeft = true;
      this.#stop.abort(new VolumeError('PORTAL_UNREACHABLE', 'Its session did not recover in time'));
    } else this.#stop.abort(new VolumeError('DEVICE_NOT_FOUND', 'Its disk did not appear in time'));
    await this.done;
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      const session =
        this.#login === undefined
          ? await this.#parts.opener.sessionOf(this.way, signal)
          : await this.#loggedIn(await this.#login);
      if (session === undefined) return;
      this.#state = { kind: 'finding-disk' };
      const disk = await this.#parts.opener.diskOf(
        this.way.path,
        session,
        { undo: this.undo, guard: this.#parts.guard },
        signal,
      );
      this.#state = { kind: 'open', path: { path: this.way.path, session, disk } };
    } catch (error) {
      const final = await this.undo.after(error);
      this.#state = (this.#isLeft ? await this.#away() : undefined) ?? { kind: 'failed', error: final };
    }
  }

  async #away(): Promise<AttemptState | undefined> {
    const { opener } = this.#parts;
    const session = await opener.presentSession(this.way);
    return session === undefined
      ? undefined
      : { kind: 'away', session, recovered: (signal) => opener.recovered(session, signal) };
  }

  async #loggedIn(login: PortalLogin): Promise<Session | undefined> {
    const opened = await login.session;
    if (opened === undefined) {
      this.#state = { kind: 'left', login };
      return undefined;
    }
    this.undo.add(async () => {
      await this.#parts.opener.undoLogin(opened);
    });
    return opened.session;
  }
}
