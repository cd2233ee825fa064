import type { ChapCredentials } from '../connection/chap-credentials.js';
import type { NodeSettings } from './records/node-record.js';

/** How long logins and sessions may take, as configured. */
export interface LoginLimits {
  readonly loginTimeoutMs: number;
  /** How many times a login that is not answered is tried; once when absent. */
  readonly loginAttempts?: number;
  /** How long a session that is one of several may be away before its I/O fails; as iscsid.conf says when absent. */
  readonly multipathReplacementTimeoutSeconds?: number;
}

/** Whether the session is to be one of several of its volume, which changes how long it may be away. */
export type SessionUse = 'alone' | 'one-of-several';

/** What the record of a session says. */
export function nodeSettings(
  { loginAttempts = 1, loginTimeoutMs, multipathReplacementTimeoutSeconds }: LoginLimits,
  { chap, use }: { readonly chap: ChapCredentials | undefined; readonly use: SessionUse },
): NodeSettings {
  return {
    loginTimeoutSeconds: Math.ceil(loginTimeoutMs / 1000),
    loginAttempts,
    replacementTimeoutSeconds: use === 'one-of-several' ? multipathReplacementTimeoutSeconds : undefined,
    chap,
  };
}
