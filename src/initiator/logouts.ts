import type { NonEmpty } from '../base/brand.js';
import type { Logger } from '../base/logger.js';
import { VolumeError } from '../base/volume-error.js';
import { formatPortal, samePortal } from '../connection/portal.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import type { Clock } from '../host/clock.js';
import type { Command, CommandResult, CommandRunner } from '../host/command.js';
import type { FileSystem } from '../host/file-system.js';
import { pollUntil } from '../host/poll-until.js';
import { ISCSIADM_EXIT } from './iscsiadm-exit.js';
import { logoutCommand, logoutPortalCommand, logoutSessionCommand, logoutTargetCommand } from './iscsiadm-commands.js';
import type { NodeDatabase } from './records/node-database.js';
import { SYSFS_PATIENCE_MS } from './proven-session.js';
import { readAllSessions } from './read-sessions.js';
import type { Session } from './session.js';

export interface LogoutParts {
  readonly commands: CommandRunner;
  readonly files: FileSystem;
  readonly database: OpenIscsiDatabase;
  readonly nodes: NodeDatabase;
  readonly sessions: () => Promise<readonly Session[]>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** iscsid gives a logout 15 s before it drops the connection (node.conn[0].timeo.logout_timeout). */
const LOGOUT_MS = 30_000;
/** Beyond that: open-iscsi waits up to 30 s for its database lock (usr/idbm.c). */
const COMMAND_MARGIN_MS = 40_000;
export const LOGOUT_WAIT_MS = LOGOUT_MS + COMMAND_MARGIN_MS;

/** Ends sessions: with as few processes as end these and no other. */
export class Logouts {
  readonly #parts: LogoutParts;

  constructor(parts: LogoutParts) {
    this.#parts = parts;
  }

  /**
   * Ends a session and removes its record when that is ours. Quiet when the session is gone.
   * @throws {VolumeError} `LOGOUT_FAILED`
   */
  async logout(session: Session, signal: AbortSignal): Promise<void> {
    await this.endAlone(session, signal);
    await this.#parts.nodes.removeOurs(session, signal);
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
    for (const session of sessions) await this.#parts.nodes.removeOurs(session, signal);
  }

  /**
   * By the portal, unless iscsiadm would take another session for one to it: it goes by what addresses and names mean
   * to the resolver now (usr/iscsi_util.c,
   * iscsi_addr_match), and ends all that match.
   */
  async endAlone(session: Session, signal: AbortSignal): Promise<void> {
    const others = (await this.#parts.sessions()).filter(
      ({ id, target, iface }) => id !== session.id && target === session.target && iface === session.iface,
    );
    const command = others.some((other) => mayMatch(other, session))
      ? logoutSessionCommand(session.id, LOGOUT_WAIT_MS)
      : logoutCommand(session, LOGOUT_WAIT_MS);
    await this.#end([session], command, signal);
  }

  /**
   * Over an iface whose record has gone: what is the portal's only session over any iface can be told by no more.
   * @returns `undefined` where that is not so
   */
  async #endWithoutIface(sessions: NonEmpty<Session>, signal: AbortSignal): Promise<CommandResult | undefined> {
    const { commands, database, files, logger } = this.#parts;
    const [{ target, iface }] = sessions;
    if ((await files.kind(`${await database.root()}/ifaces/${iface}`)) !== undefined) return undefined;
    let result: CommandResult | undefined;
    for (const session of sessions) {
      const { sessions: all, foreign } = await readAllSessions(files);
      const others = all.filter((other) => other.id !== session.id && other.target === target);
      if (others.some((other) => mayMatch(other, session)) || foreign.some((other) => other.target === target))
        return undefined;
      logger.warn('An iface has no record any more: its session is ended without it, by its portal', {
        iface,
        session: session.id,
      });
      result = await commands.run(logoutPortalCommand(session, LOGOUT_WAIT_MS), signal);
      if (result.exitCode !== ISCSIADM_EXIT.ok) break;
    }
    return result;
  }

  async #end(sessions: NonEmpty<Session>, command: Command, signal: AbortSignal): Promise<void> {
    const [{ target, iface }] = sessions;
    const ended = await this.#parts.commands.run(command, signal);
    const isNameless = ended.exitCode === ISCSIADM_EXIT.noMemory;
    const { exitCode, stderr } = (isNameless ? await this.#endWithoutIface(sessions, signal) : undefined) ?? ended;
    const gone: readonly number[] = [
      ISCSIADM_EXIT.ok,
      ISCSIADM_EXIT.sessionNotFound,
      ISCSIADM_EXIT.noObjectsFound,
      ISCSIADM_EXIT.sysfsLookup,
      ISCSIADM_EXIT.sessionNotConnected,
    ];
    const areGone =
      gone.includes(exitCode) &&
      (await pollUntil(async () => ((await this.#isAnyThere(sessions)) ? undefined : true), {
        clock: this.#parts.clock,
        timeoutMs: SYSFS_PATIENCE_MS,
        signal,
      }));
    const portals = sessions.map(({ portal }) => formatPortal(portal));
    if (areGone !== true) {
      throw new VolumeError(
        'LOGOUT_FAILED',
        `Cannot log out of ${target} at ${portals.join(', ')} over ${iface}: iscsiadm ended with exit status ` +
          `${exitCode}`,
        {
          cause: stderr === '' ? undefined : new Error(stderr.trim()),
          details: { sessions: sessions.map(({ id }) => id), exitCode },
          ...(isNameless ? { hint: `the iface ${iface} has no record: make it again, then try again` } : {}),
        },
      );
    }
    this.#parts.logger.info('Logged out', { target, portals, iface, sessions: sessions.map(({ id }) => id) });
  }

  async #isAnyThere(sessions: readonly Session[]): Promise<boolean> {
    const kinds = await Promise.all(
      sessions.map(({ id }) => this.#parts.files.kind(`/sys/class/iscsi_session/session${id}`)),
    );
    return kinds.some((kind) => kind !== undefined);
  }
}

/** Whether iscsiadm may take the one for a session to the other's portal. */
function mayMatch({ portal }: Pick<Session, 'portal'>, other: Session): boolean {
  return samePortal(portal, other.portal) || portal.recordedAs !== undefined || other.portal.recordedAs !== undefined;
}
