import { VolumeError } from '../../base/volume-error.js';
import type { PortalLogin } from '../../initiator/open-iscsi-initiator.js';
import type { Session } from '../../initiator/session.js';
import type { VolumePath, PathOpener } from './path-opener.js';
import type { PathCandidate } from '../../preflight/plan-logins.js';
import { UndoLog } from '../undo-log.js';
import type { VolumeGuard } from './volume-guard.js';

export type AttemptState =
  | { readonly kind: 'logging-in' | 'finding-disk' }
  | { readonly kind: 'open'; readonly path: VolumePath }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** Its login is under way and nobody waits for it any more. */
  | { readonly kind: 'left'; readonly login: PortalLogin };

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
  #state: AttemptState = { kind: 'logging-in' };

  constructor(way: PathCandidate, login: Promise<PortalLogin> | undefined, parts: AttemptParts, signal: AbortSignal) {
    this.way = way;
    this.#parts = parts;
    this.#login = login;
    this.done = this.#run(AbortSignal.any([signal, this.#stop.signal]));
  }

  get state(): AttemptState {
    return this.#state;
  }

  /**
   * Waits no longer: for a login that is under way, which then ends as it may; or for a disk, which makes the attempt
   * fail.
   */
  async leave(): Promise<void> {
    if (this.#state.kind === 'logging-in') (await this.#login)?.leave();
    else this.#stop.abort(new VolumeError('DEVICE_NOT_FOUND', 'Its disk did not appear in time'));
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
      this.#state = { kind: 'failed', error: await this.undo.after(error) };
    }
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
