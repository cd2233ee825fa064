import type { Deferred } from '../base/deferred.js';
import type { Clock } from '../host/clock.js';
import { pollUntil } from '../host/poll-until.js';
import { isSessionOf, type Session, type SessionKey } from './session.js';

export interface WatchParts {
  readonly sessions: () => Promise<readonly Session[]>;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** A session that iscsiadm is making. */
export interface AwaitedSession extends Deferred<undefined> {
  readonly key: SessionKey;
}

/**
 * Tells of each session that it is up, while iscsiadm still waits for the others; until iscsiadm has ended, whose
 * word is better, or nobody waits for a session any more.
 */
export function watchForUp(awaited: Set<AwaitedSession>, running: Promise<unknown>, parts: WatchParts): void {
  const look = async (): Promise<true | undefined> => {
    const sessions = await parts.sessions();
    for (const one of awaited) {
      if (!sessions.some((session) => isSessionOf(session, one.key) && session.state === 'LOGGED_IN')) continue;
      one.resolve(undefined);
      awaited.delete(one);
    }
    return awaited.size === 0 ? true : undefined;
  };
  lookUntilEnded(look, running, parts);
}

/**
 * A target ends the connection behind a refusal. LIO does so before an RDMA port has sent the refusal
 * (drivers/infiniband/ulp/isert/ib_isert.c, isert_wait_conn), and what is left is a connection that was made and
 * broke before the login was done. iscsid says nothing of it but lets the login's time pass (usr/initiator.c,
 * "ignoring conn error in login"), while the kernel shows a session that has failed; a portal that does not answer
 * shows none.
 */
export function watchForLoss(
  key: SessionKey,
  running: Promise<unknown>,
  parts: WatchParts,
): { readonly isSeen: boolean } {
  const loss = { isSeen: false };
  const look = async (): Promise<true | undefined> => {
    loss.isSeen = (await parts.sessions()).some((session) => isSessionOf(session, key) && session.state === 'FAILED');
    return loss.isSeen ? true : undefined;
  };
  lookUntilEnded(look, running, parts);
  return loss;
}

function lookUntilEnded(
  look: () => Promise<true | undefined>,
  running: Promise<unknown>,
  { clock, timeoutMs }: WatchParts,
): void {
  const ended = new AbortController();
  const end = (): void => {
    ended.abort();
  };
  running.then(end, end);
  pollUntil(look, { clock, timeoutMs, signal: ended.signal }).catch(() => undefined);
}
