import type { Logger } from '../../base/logger.js';
import { isVolumeError, VolumeError, type VolumeErrorCode } from '../../base/volume-error.js';
import type { ChapCredentials } from '../../connection/chap-credentials.js';
import { isPortalName, type PortalName } from '../../connection/portal-name.js';
import { formatPortal, type Portal, samePortal } from '../../connection/portal.js';
import type { TargetName } from '../../connection/target-name.js';
import type { OpenIscsiDatabase } from '../../database/open-iscsi-database.js';
import type { Clock } from '../../host/clock.js';
import type { CommandResult, CommandRunner } from '../../host/command.js';
import type { FileSystem } from '../../host/file-system.js';
import type { HostNames } from '../../host/host-names.js';
import type { IfaceName } from '../../iface/iface-name.js';
import { DiscoveryDatabase } from './discovery-database.js';
import { newDiscoveryRecord } from './discovery-record.js';
import { discoverCommand } from '../iscsiadm-commands.js';
import { discoveryFailure, ISCSIADM_EXIT } from '../iscsiadm-exit.js';
import { readIscsidDefaults } from '../records/iscsid-defaults.js';
import { parseDiscovery } from './parse-discovery.js';

export interface DiscoveryParts {
  readonly commands: CommandRunner;
  readonly files: FileSystem;
  readonly database: OpenIscsiDatabase;
  readonly clock: Clock;
  readonly hostNames: HostNames;
  readonly logger: Logger;
  readonly loginTimeoutMs: number;
}

/** What is looked for, and where. */
export interface PortalSearch {
  /** The portal that is asked. */
  readonly portal: Portal;
  readonly target: TargetName;
  /**
   * What the discovery goes over, where the iface is not software TCP: that kind is not bound to the iface's network
   * device (open-iscsi, usr/discovery.c, iscsi_create_leading_conn).
   */
  readonly iface: IfaceName;
  /** For the discovery alone. The session's credentials are never used in their place. */
  readonly chap: ChapCredentials | undefined;
}

/**
 * After the login, open-iscsi waits 30 s for each answer (discovery.sendtargets.timeo.active_timeout), and up to 30 s
 * for its database lock.
 */
const COMMAND_MARGIN_MS = 70_000;

/**
 * All portals of one target, as a portal of its array tells them (SendTargets, RFC 7143, Appendix C), in the array's
 * order. Reads and changes nobody's record, and logs in nowhere. Not twice at once for one target, portal and iface:
 * hold the target's lock.
 * @throws {VolumeError} `LOGIN_AUTH_FAILED`, `LOGIN_REFUSED` when the target is not among those that the portal shows,
 * `PORTAL_UNREACHABLE`, `TRANSPORT_UNAVAILABLE`,
 * `INITIATOR_UNAVAILABLE`, `DATABASE_LOCKED`, `DATABASE_FAILED`, `PERMISSION_DENIED`, `COMMAND_FAILED` that quotes a
 * line it does not understand
 */
export async function discoverPortals(
  parts: DiscoveryParts,
  search: PortalSearch,
  signal: AbortSignal,
): Promise<readonly Portal[]> {
  const answer = await ask(parts, search, signal);
  const found = await Promise.all(
    parsed(search, answer).map(async (portal) => await addressesOf(portal, parts, search, signal)),
  );
  const portals = found
    .flat()
    .filter((portal, index, all) => all.findIndex((one) => samePortal(one, portal)) === index);
  if (portals.length === 0)
    throw failure(search, 'LOGIN_REFUSED', 'the target is not among those that the portal shows this initiator');
  parts.logger.info('Discovered portals', {
    target: search.target,
    portal: formatPortal(search.portal),
    iface: search.iface,
    found: portals.map(formatPortal),
  });
  return portals;
}

async function ask(parts: DiscoveryParts, search: PortalSearch, signal: AbortSignal): Promise<CommandResult> {
  const { files, commands, loginTimeoutMs } = parts;
  const record = newDiscoveryRecord(
    search.portal,
    { loginTimeoutSeconds: Math.ceil(loginTimeoutMs / 1000), chap: search.chap },
    await readIscsidDefaults(files),
  );
  return await new DiscoveryDatabase(parts).with(search, record, signal, async (name) => {
    const answer = await commands.run(discoverCommand(name, search.iface, loginTimeoutMs + COMMAND_MARGIN_MS), signal);
    if (answer.exitCode !== ISCSIADM_EXIT.ok) throw discoveryError(search, answer);
    return answer;
  });
}

function parsed(search: PortalSearch, { stdout }: CommandResult): readonly (Portal | PortalName)[] {
  try {
    return parseDiscovery(stdout, search.target);
  } catch (error) {
    if (error instanceof SyntaxError)
      throw failure(search, 'COMMAND_FAILED', `iscsiadm printed what is not understood here: ${error.message}`);
    throw error;
  }
}

/** What this host cannot reach is left out, and said. */
async function addressesOf(
  portal: Portal | PortalName,
  { hostNames, logger }: DiscoveryParts,
  search: PortalSearch,
  signal: AbortSignal,
): Promise<readonly Portal[]> {
  if (isPortalName(portal)) {
    const { hostName, ...place } = portal;
    try {
      return (await hostNames.lookup(hostName, signal)).map((address) => ({ address, ...place }));
    } catch (error) {
      if (!isVolumeError(error, 'PORTAL_UNREACHABLE')) throw error;
      logger.warn('Leaving out a portal whose name cannot be resolved', {
        target: search.target,
        name: hostName,
        reason: error.message,
      });
      return [];
    }
  }
  const address = reachableAddress(portal.address, search.portal.address);
  if (address !== undefined) return [{ ...portal, address }];
  logger.warn('Leaving out a portal with a link-local address: nothing says on which link it is', {
    target: search.target,
    portal: formatPortal(portal),
  });
  return [];
}

const HINTS: Readonly<Partial<Record<VolumeErrorCode, string>>> = {
  INITIATOR_UNAVAILABLE: 'systemctl start iscsid.socket',
  PORTAL_UNREACHABLE:
    'check the address, the network on the way, and that the portal serves the transport of the iface',
  LOGIN_AUTH_FAILED:
    'check discovery_auth_username and discovery_auth_password against the target: ' +
    'the discovery has credentials of its own',
  LOGIN_REFUSED: 'check that the target exists and lets this initiator in (/etc/iscsi/initiatorname.iscsi)',
  TRANSPORT_UNAVAILABLE: 'libvirt-volume ifaces says what is there',
};

function discoveryError(search: PortalSearch, answer: CommandResult): VolumeError {
  const { code, words } = discoveryFailure(answer);
  const said = answer.stderr.trim();
  return failure(search, code, words, {
    ...(said === '' ? {} : { cause: new Error(said.replaceAll('\n', '; ')) }),
    exitCode: answer.exitCode,
  });
}

function failure(
  { portal, target, iface }: PortalSearch,
  code: VolumeErrorCode,
  words: string,
  { cause, exitCode }: { readonly cause?: Error; readonly exitCode?: number } = {},
): VolumeError {
  return new VolumeError(
    code,
    `Cannot ask ${formatPortal(portal)} over the iface ${iface} for the portals of ${target}: ${words}`,
    {
      ...(cause === undefined ? {} : { cause }),
      details: { target, portal: formatPortal(portal), iface, ...(exitCode === undefined ? {} : { exitCode }) },
      ...(HINTS[code] === undefined ? {} : { hint: HINTS[code] }),
    },
  );
}

/** Stands for every address of a host, and is none to connect to (RFC 1122, 3.2.1.3; RFC 4291, 2.5.2). */
const UNSPECIFIED = new Set(['0.0.0.0', '::']);

/**
 * The address of a portal that a target announced, as this host can use it. A target that listens at all its addresses
 * may announce the unspecified one: of them all the one that answered the discovery is known. A link-local address is
 * good on one link only (RFC 4291, 2.5.6), which its zone names; the target cannot know this host's name for it, so it
 * is that of the discovery when that went over such a link.
 * @param asked the address that answered the discovery
 * @returns `undefined` when nothing says which link is meant
 */
export function reachableAddress(announced: string, asked: string): string | undefined {
  if (UNSPECIFIED.has(announced)) return asked;
  const [bare = announced] = announced.split('%');
  if (!/^fe[89ab][0-9a-f]:/i.test(bare)) return announced;
  const zone = asked.includes('%') ? asked.slice(asked.indexOf('%')) : undefined;
  return zone === undefined ? undefined : `${bare}${zone}`;
}
