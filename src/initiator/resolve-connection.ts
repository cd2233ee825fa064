import { isNonEmpty } from '../base/brand.js';
import type { Logger } from '../base/logger.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { IscsiConnection, ListedConnection } from '../connection/iscsi-connection.js';
import { formatPortalName, isPortalName, type PortalName } from '../connection/portal-name.js';
import { formatPortal, type Portal, samePortal } from '../connection/portal.js';
import { type ListedPath, type TargetPath, withoutRepeats } from '../connection/target-path.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import type { FileSystem } from '../host/file-system.js';
import type { HostNames } from '../host/host-names.js';
import { recordedNames, recordedPortals } from './records/recorded-portals.js';

export interface ResolverParts {
  readonly hostNames: HostNames;
  readonly files: FileSystem;
  readonly database: OpenIscsiDatabase;
  readonly logger: Logger;
}

export interface ResolvedConnection {
  readonly connection: IscsiConnection;
  /** What was resolved, for people: one line for each name. */
  readonly notes: readonly string[];
}

/**
 * The connection with addresses where names were: each name is resolved once, here, and believed until the operation
 * ends. A name with several addresses becomes as many paths, in the order of the resolver. After those come the
 * addresses that our own records say the name had when a session was made, so that a volume is found, and disconnected,
 * though the name has moved on or is no longer known.
 *
 * Where somebody's record of the target is by name, it is that of the portal which the name leads to now, as open-iscsi
 * has it: such a name is resolved too.
 * @throws {VolumeError} `PORTAL_UNREACHABLE` when a name has no address and no record of ours knows one, `ABORTED`
 */
export async function resolveConnection(
  listed: ListedConnection,
  parts: ResolverParts,
  signal: AbortSignal,
): Promise<ResolvedConnection> {
  const resolved = await Promise.all(listed.paths.map((path) => resolvePath(path, parts, signal)));
  const paths = await withRecordedNames(withoutRepeats(resolved.flatMap((each) => each.paths)), parts, signal);
  if (!isNonEmpty(paths))
    throw new VolumeError('PORTAL_UNREACHABLE', 'Cannot resolve any of the portals of the volume to an address');
  return { connection: { ...listed, paths }, notes: [...new Set(resolved.flatMap(({ note }) => note))] };
}

interface ResolvedPath {
  readonly paths: readonly TargetPath[];
  readonly note: readonly string[];
}

async function resolvePath(path: ListedPath, parts: ResolverParts, signal: AbortSignal): Promise<ResolvedPath> {
  const { portal } = path;
  if (!isPortalName(portal)) return { paths: [{ ...path, portal }], note: [] };
  const recorded = await recordedPortals(parts, path.target, portal);
  const now = await lookup(portal, { parts, mayFail: recorded.length > 0 }, signal);
  const before = recorded.filter((one) => !now.some((other) => samePortal(one, other)));
  const note = noteOf(portal, now, before);
  parts.logger.info('Resolved a host name', {
    name: portal.hostName,
    addresses: now.map(({ address }) => address),
    recorded: before.map(({ address }) => address),
  });
  return { paths: [...now, ...before].map((each) => ({ ...path, portal: each })), note: [note] };
}

async function withRecordedNames(
  paths: readonly TargetPath[],
  parts: ResolverParts,
  signal: AbortSignal,
): Promise<readonly TargetPath[]> {
  const targets = [...new Set(paths.map(({ target }) => target))];
  const known = await Promise.all(
    targets.map(async (target) => {
      const names = (await recordedNames(parts, target)).filter(({ port }) =>
        paths.some((path) => path.target === target && path.portal.port === port),
      );
      return await Promise.all(
        names.map(async (name) => ({ target, name, address: await firstAddress(name, paths, parts, signal) })),
      );
    }),
  );
  return paths.map((path) => {
    const found = known
      .flat()
      .find(
        ({ target, name, address }) =>
          target === path.target && samePortal(path.portal, { address: address ?? '', port: name.port }),
      );
    return found === undefined ? path : { ...path, portal: { ...path.portal, recordedAs: found.name } };
  });
}

/**
 * iscsiadm and iscsid go by the first address alone (usr/iscsi_util.c, iscsi_addr_match; usr/login.c, resolve_address).
 * A name of the connection has been asked for already.
 */
async function firstAddress(
  name: PortalName,
  paths: readonly TargetPath[],
  parts: ResolverParts,
  signal: AbortSignal,
): Promise<string | undefined> {
  const asked = paths.find(({ portal }) => portal.hostName === name.hostName);
  return asked?.portal.address ?? (await lookup(name, { parts, mayFail: true }, signal))[0]?.address;
}

/** What a record knows serves as well where the resolver fails. */
async function lookup(
  { hostName, ...place }: PortalName,
  { parts, mayFail }: { readonly parts: ResolverParts; readonly mayFail: boolean },
  signal: AbortSignal,
): Promise<readonly Portal[]> {
  try {
    return (await parts.hostNames.lookup(hostName, signal)).map((address) => ({ address, ...place, hostName }));
  } catch (error) {
    if (!mayFail || !isVolumeError(error, 'PORTAL_UNREACHABLE')) throw error;
    parts.logger.warn('Cannot resolve a host name', { name: hostName, reason: error.message });
    return [];
  }
}

function noteOf(name: PortalName, now: readonly Portal[], before: readonly Portal[]): string {
  const list = (portals: readonly Portal[]): string => portals.map(formatPortal).join(', ');
  const present =
    now.length === 0 ? `${formatPortalName(name)} cannot be resolved` : `${formatPortalName(name)} is ${list(now)}`;
  return before.length === 0 ? present : `${present}; its sessions were made to ${list(before)}`;
}
