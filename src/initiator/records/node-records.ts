import { isPortalName, type PortalName } from '../../connection/portal-name.js';
import { ISCSI_PORT, type Portal, samePortal } from '../../connection/portal.js';
import { parsePortalFolder, type PortalFolder, recordedPortal } from '../../connection/recorded-portal.js';
import { parseTargetName, type TargetName } from '../../connection/target-name.js';
import type { OpenIscsiDatabase } from '../../database/open-iscsi-database.js';
import { isOurs, parseRecord, readRecordText } from '../../database/record-text.js';
import type { FileSystem } from '../../host/file-system.js';
import { type IfaceName, parseIfaceName } from '../../iface/iface-name.js';
import type { SessionKey } from '../session.js';

/** A record file of the database. */
export interface NodeFile {
  readonly path: string;
  readonly text: string;
  /** The portal's address as open-iscsi has it: in one of many spellings, or by name. */
  readonly address: string;
  /** Whether the record itself says so, by which iscsiadm finds it, and not its folder alone. */
  readonly isNamed: boolean;
  /** True for a record that this library made and that nobody has rewritten since. */
  readonly ours: boolean;
}

/** A record that this library made and that nobody has rewritten since. */
export interface OwnRecord {
  readonly iface: IfaceName;
  /** As the record says, and as its folder does. */
  readonly portals: readonly (Portal | PortalName)[];
}

export function isRecordAt({ portals }: OwnRecord, portal: Portal): boolean {
  return portals.some((one) => isSame(one, portal));
}

/** open-iscsi's node records, as they are on the disk. */
export class NodeRecords {
  readonly #files: FileSystem;
  readonly #database: OpenIscsiDatabase;

  constructor({ files, database }: { readonly files: FileSystem; readonly database: OpenIscsiDatabase }) {
    this.#files = files;
    this.#database = database;
  }

  /** The folder of them all, below the database's root. @throws as OpenIscsiDatabase.location() */
  async folder(): Promise<string> {
    return `${await this.#database.root()}/nodes`;
  }

  /**
   * The records of this target, portal and iface, in whatever spelling: none, one, or one for each tag and each
   * spelling under which somebody made one.
   */
  async find({ target, portal, iface }: SessionKey): Promise<readonly NodeFile[]> {
    const records = await this.#of(target);
    return records.flatMap((record) =>
      record.iface === iface && (record.isOldStyle || record.path.endsWith(`/${iface}`)) ? fileAt(record, portal) : [],
    );
  }

  /**
   * How many records this target has over this iface, whoever made them: all that iscsiadm logs in to where it is given
   * no portal.
   */
  async countOver({ target, iface }: Omit<SessionKey, 'portal'>): Promise<number> {
    return (await this.#of(target)).filter((record) => record.iface === iface).length;
  }

  /** The targets of which there is any record. A folder that no target can have is none. */
  async targets(): Promise<readonly TargetName[]> {
    return (await this.#files.list(await this.folder())).flatMap((name) => {
      try {
        return [parseTargetName(name)];
      } catch {
        return [];
      }
    });
  }

  /** The records that this library has made for the target, whatever the configuration says now. */
  async ownRecordsOf(target: TargetName): Promise<readonly OwnRecord[]> {
    return (await this.#of(target)).flatMap(({ ours, iface, places }) =>
      ours
        ? asIfaceName(iface).map((name) => ({
            iface: name,
            portals: places.flatMap(({ address, port }) => portalIn(address, port) ?? []),
          }))
        : [],
    );
  }

  /**
   * Every record of the target: files below `address,port,tpgt/`, and of the old style, the file `address,port` itself
   * (usr/idbm.c, idbm_for_each_portal).
   */
  async #of(target: TargetName): Promise<readonly FoundRecord[]> {
    const folder = `${await this.folder()}/${target}`;
    const paths = await Promise.all(
      (await this.#files.list(folder)).map(async (name) => {
        const place = parsePortalFolder(name);
        if (place === undefined) return [];
        const isFolder = (await this.#files.kind(`${folder}/${name}`)) === 'directory';
        const names = isFolder
          ? (await this.#files.list(`${folder}/${name}`)).map((file) => `${name}/${file}`)
          : [name];
        return names.map((file) => ({ path: `${folder}/${file}`, place, isOldStyle: !isFolder }));
      }),
    );
    const records = await Promise.all(
      paths.flat().map(async ({ path, ...place }) => await this.#readRecord(path, place)),
    );
    return records.filter((record) => record !== undefined);
  }

  async #readRecord(
    path: string,
    { place, isOldStyle }: { readonly place: PortalFolder; readonly isOldStyle: boolean },
  ): Promise<FoundRecord | undefined> {
    if ((await this.#files.kind(path)) !== 'file') return undefined;
    const text = await readRecordText(this.#files, path); // to the last byte, so that undo() can restore it
    if (text === undefined) return undefined;
    const record = parseRecord(text);
    const named = {
      address: record.get('node.conn[0].address') ?? '',
      port: record.get('node.conn[0].port') ?? String(ISCSI_PORT),
    };
    return {
      path,
      text,
      isOldStyle,
      places: [named, place],
      iface: record.get('iface.iscsi_ifacename') ?? 'default',
      ours: isOurs(text),
    };
  }
}

/** A record with all that says which it is. */
interface FoundRecord extends Omit<NodeFile, 'address' | 'isNamed'> {
  readonly iface: string;
  /** Of the old style: a file in the portal's place, whatever its iface. Any other has the name of its iface. */
  readonly isOldStyle: boolean;
  /**
   * Where it is for: what its text says, by which iscsiadm goes (usr/iscsiadm.c, rec_match_fn); and what its folder's
   * name says. Somebody may have edited one of them.
   */
  readonly places: readonly Omit<PortalFolder, 'tag'>[];
}

function fileAt({ path, text, ours, places }: FoundRecord, portal: Portal): readonly NodeFile[] {
  const place = places.find(({ address, port }) => isSame(portalIn(address, port), portal));
  return place === undefined ? [] : [{ path, text, ours, address: place.address, isNamed: place === places[0] }];
}

function isSame(recorded: Portal | PortalName | undefined, portal: Portal): boolean {
  if (recorded === undefined) return false;
  const { recordedAs } = portal;
  return isPortalName(recorded)
    ? recorded.hostName === recordedAs?.hostName && recorded.port === recordedAs.port
    : samePortal(recorded, portal);
}

/** A record with an odd address costs nobody another one. */
export function portalIn(address: string, port: string): Portal | PortalName | undefined {
  try {
    return recordedPortal(address, port);
  } catch {
    return undefined;
  }
}

/** A record over an iface of a name that this library would never use is not one of its own. */
function asIfaceName(name: string): readonly IfaceName[] {
  try {
    return [parseIfaceName(name)];
  } catch {
    return [];
  }
}
