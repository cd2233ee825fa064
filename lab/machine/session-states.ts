import { readdirSync, readFileSync } from 'node:fs';

const SESSIONS = '/sys/class/iscsi_session';

/** What the kernel says of each session that there is: LOGGED_IN, FAILED, FREE. */
export function sessionStates(): readonly string[] {
  return readdirSync(SESSIONS).flatMap((session) => {
    try {
      return [readFileSync(`${SESSIONS}/${session}/state`, 'utf8').trim()];
    } catch {
      return []; // it has just ended
    }
  });
}
