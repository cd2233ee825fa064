import type { PortalName } from '../connection/portal-name.js';
import { type Portal, samePortal } from '../connection/portal.js';
import type { TargetName } from '../connection/target-name.js';
import { canonicalAddress } from '../base/ip-address.js';
import type { FileSystem } from '../host/file-system.js';
import type { OpenIscsiDatabase } from '../iface/open-iscsi-database.js';
import { OWNER_COMMENT } from '../iface/record-text.js';
import { portalComment } from './portal-comment.js';

export interface RecordedPortalsParts {
  readonly files: FileSystem;
  readonly database: OpenIscsiDatabase;
}

/** `ADDRESS,PORT,TAG`, as open-iscsi names the folder of a portal's records. */
const PORTAL_FOLDER = /^(?<address>[^,]+),(?<port>\d{1,5}),\d+$/;

/**
 * The addresses that a portal's name had when records of this target were made: out of records that are ours and say so. What such a record
 * says is known, not guessed; an administrator's record, or one that open-iscsi has rewritten since (it drops comments), tells nothing here.
 */
export async function recordedPortals({ files, database }: RecordedPortalsParts, target: TargetName, name: PortalName): Promise<readonly Portal[]> {
  const nodes = `${await database.root()}/nodes/${target}`;
  const found = await Promise.all((await files.list(nodes)).map(async (folder) => {
    const { address, port } = PORTAL_FOLDER.exec(folder)?.groups ?? {};
    if (address === undefined || Number(port) !== name.port) return [];
    const texts = await Promise.all((await files.list(`${nodes}/${folder}`)).map((iface) => files.readText(`${nodes}/${folder}/${iface}`)));
    const named = texts.some((text) => text?.includes(`# ${OWNER_COMMENT}\n`) === true && text.includes(`# ${portalComment(name)}\n`));
    return named ? [{ address: canonicalAddress(address), port: name.port, ...(name.tpgt === undefined ? {} : { tpgt: name.tpgt }), hostName: name.hostName }] : [];
  }));
  const portals: readonly Portal[] = found.flat();
  return portals.filter((portal, index) => portals.findIndex((one) => samePortal(one, portal)) === index);
}
