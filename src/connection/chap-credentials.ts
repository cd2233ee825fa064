import type { Secret } from '../base/secret.js';

/** What the initiator proves itself with (RFC 7143, 12.1.3). */
export interface ChapCredentials {
  readonly username: string;
  readonly password: Secret;
}
