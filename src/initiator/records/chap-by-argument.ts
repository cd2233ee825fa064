import type { Logger } from '../../base/logger.js';
import type { Secret } from '../../base/secret.js';
import { VolumeError } from '../../base/volume-error.js';
import { formatPortal } from '../../connection/portal.js';
import type { CommandRunner } from '../../host/command.js';
import { setPasswordCommand } from '../iscsiadm-commands.js';
import { ISCSIADM_EXIT, loginFailure } from '../iscsiadm-exit.js';
import type { SessionKey } from '../session.js';

/** open-iscsi waits up to 30 s for its database lock (usr/idbm.c). */
const UPDATE_MS = 40_000;

/**
 * `chap_secrets = "argv"`: open-iscsi is handed the secret as an argument of iscsiadm, which every user of this host
 * can read in /proc meanwhile. Said each time.
 */
export class ChapByArgument {
  readonly #commands: CommandRunner;
  readonly #logger: Logger;

  constructor({ commands, logger }: { readonly commands: CommandRunner; readonly logger: Logger }) {
    this.#commands = commands;
    this.#logger = logger;
  }

  /** @throws {VolumeError} `DATABASE_FAILED`, `COMMAND_FAILED`, `COMMAND_NOT_FOUND` */
  async give(key: SessionKey, password: Secret, signal: AbortSignal): Promise<void> {
    const place = { target: key.target, portal: formatPortal(key.portal), iface: key.iface };
    this.#logger.warn(
      'A CHAP secret goes into the arguments of iscsiadm, where every user of ' +
        'this host can read it: chap_secrets = "argv"',
      place,
    );
    const { exitCode, stderr } = await this.#commands.run(setPasswordCommand(key, password, UPDATE_MS), signal);
    if (exitCode === ISCSIADM_EXIT.ok) return;
    const { code, words } = loginFailure(exitCode);
    throw new VolumeError(
      code,
      `Cannot give open-iscsi the CHAP secret for ${place.target} at ${place.portal} over the iface ` +
        `${place.iface}: ${words}`,
      {
        ...(stderr.trim() === '' ? {} : { cause: new Error(stderr.trim().replaceAll('\n', '; ')) }),
        details: { ...place, exitCode },
      },
    );
  }
}
