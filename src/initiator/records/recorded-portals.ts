import { formatPortalName, isPortalName, type PortalName } from '../../connection/portal-name.js';
import { type Portal, samePortal } from '../../connection/portal.js';
import { parsePortalFolder, recordedPortal } from '../../connection/recorded-portal.js';
import type { TargetName } from '../../connection/target-name.js';
import type { OpenIscsiDatabase } from '../../database/open-iscsi-database.js';
import { OWNER_COMMENT } from '../../database/record-text.js';
import type { FileSystem } from '../../host/file-system.js';

export interface RecordedPortalsParts {
  readonly files: FileSystem;
  readonly database: OpenIscsiDatabase;
}

/**
 * The addresses that a portal's name had when records of this target were made: out of records that are ours and say
 * so. What such a record says is known, not guessed; an administrator's record, or one that open-iscsi has rewritten
 * since (it drops comments), tells nothing here.
 */
export async function recordedPortals(
  { files, database }: RecordedPortalsParts,
  target: TargetName,
  name: PortalName,
): Promise<readonly Portal[]> {
  const nodes = `${await database.root()}/nodes/${target}`;
  const found = await Promise.all(
    (await files.list(nodes)).map(async (folder) => {
      const portal = portalOfFolder(folder);
      if (portal === undefined || isPortalName(portal) || portal.port !== name.port) return [];
      const texts = await Promise.all(
        (await files.list(`${nodes}/${folder}`)).map((iface) => files.readText(`${nodes}/${folder}/${iface}`)),
      );
      const named = texts.some(
        (text) => text?.includes(`# ${OWNER_COMMENT}\n`) === true && text.includes(`# ${portalComment(name)}\n`),
      );
      return named
        ? [
            {
              address: portal.address,
              port: name.port,
              ...(name.tpgt === undefined ? {} : { tpgt: name.tpgt }),
              hostName: name.hostName,
            },
          ]
        : [];
    }),
  );
  const portals: readonly Portal[] = found.flat();
  return portals.filter((portal, index) => portals.findIndex((one) => samePortal(one, portal)) === index);
}

/**
 * The names by which anybody's records of the target have portals: open-iscsi takes such a record for that of the
 * address which the name has (usr/iscsi_util.c, iscsi_addr_match).
 */
export async function recordedNames(
  { files, database }: RecordedPortalsParts,
  target: TargetName,
): Promise<readonly PortalName[]> {
  const names = (await files.list(`${await database.root()}/nodes/${target}`))
    .flatMap((folder) => portalOfFolder(folder) ?? [])
    .filter(isPortalName);
  return names.filter(
    (name, index) => names.findIndex((one) => one.hostName === name.hostName && one.port === name.port) === index,
  );
}

/** Of a folder that is no portal's, nothing. */
function portalOfFolder(name: string): Portal | PortalName | undefined {
  const { address, port } = parsePortalFolder(name) ?? {};
  try {
    return address === undefined || port === undefined ? undefined : recordedPortal(address, port);
  } catch {
    return undefined;
  }
}

/**
 * The line of a record of ours that keeps which name its address was resolved from: by the time of the disconnect the
 * name may have another, or none.
 */
export function portalComment(portal: PortalName): string {
  return `Portal ${formatPortalName(portal)}`;
}
