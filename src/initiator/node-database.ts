import { isPortalName, type PortalName } from '../connection/portal-name.js';
import { ISCSI_PORT, type Portal, samePortal } from '../connection/portal.js';
import { parsePortalFolder, type PortalFolder, recordedPortal } from '../connection/recorded-portal.js';
import type { TargetName } from '../connection/target-name.js';
import { editRecord } from '../database/edit-record.js';
import type { Draft, OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import {
  formatRecord,
  isOurs,
  OWNER_COMMENT,
  parseRecord,
  readRecordText,
  type RecordValues,
} from '../database/record-text.js';
import type { FileSystem } from '../host/file-system.js';
import { type IfaceName, parseIfaceName } from '../iface/iface-name.js';
import type { Iface } from '../iface/iface.js';
import type { ChapByArgument } from './chap-by-argument.js';
import { readIscsidDefaults } from './iscsid-defaults.js';
import {
  asConfigured,
  newNodeRecord,
  type NodeSettings,
  tpgtOf,
  withoutPassword,
  withSettings,
} from './node-record.js';
import { portalComment } from './recorded-portals.js';
import type { SessionKey } from './session.js';

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

/** What put() did, and so what must be done to take it back. */
export type RecordChange = (
  | { readonly kind: 'created'; readonly path: string }
  | { readonly kind: 'changed'; readonly path: string; readonly before: string; readonly ours: boolean }
  | { readonly kind: 'unchanged' }
) & {
  /** The address as the record has it, where that is another text than the portal's. */
  readonly recordedAddress?: string;
};

/** What is to be done, and with which text. */
type WritePlan =
  | { readonly change: Extract<RecordChange, { readonly kind: 'unchanged' }>; readonly text?: undefined }
  | { readonly change: Exclude<RecordChange, { readonly kind: 'unchanged' }>; readonly text: string };

/** Whose record it is: a session's key, with the iface as a whole. */
type RecordKey = Omit<SessionKey, 'iface'> & { readonly iface: Iface };

/** For what must be done whatever became of the caller's signal. */
const LATE_MS = 60_000;

/**
 * open-iscsi's node records, read and written as files under its own lock. That keeps CHAP secrets out of every command
 * line, never resets a record that is there (`-o new` does), never touches the record of another iface, and costs no
 * process.
 */
export class NodeDatabase {
  readonly #files: FileSystem;
  readonly #database: OpenIscsiDatabase;
  readonly #chapByArgument: ChapByArgument | undefined;

  /** @param chapByArgument how secrets get into records, where that is not to be by their files */
  constructor({
    files,
    database,
    chapByArgument,
  }: {
    readonly files: FileSystem;
    readonly database: OpenIscsiDatabase;
    readonly chapByArgument?: ChapByArgument | undefined;
  }) {
    this.#files = files;
    this.#database = database;
    this.#chapByArgument = chapByArgument;
  }

  /**
   * The records of this target, portal and iface, in whatever spelling: none, one, or one for each tag and each
   * spelling under which somebody made one.
   */
  async find({ target, portal, iface }: SessionKey): Promise<readonly NodeFile[]> {
    const records = await this.#recordsOf(target);
    return records.flatMap((record) =>
      record.iface === iface && (record.isOldStyle || record.path.endsWith(`/${iface}`)) ? fileAt(record, portal) : [],
    );
  }

  /**
   * How many records this target has over this iface, whoever made them: all that iscsiadm logs in to where it is given
   * no portal.
   */
  async countOver({ target, iface }: Omit<SessionKey, 'portal'>): Promise<number> {
    return (await this.#recordsOf(target)).filter((record) => record.iface === iface).length;
  }

  /** The records that this library has made for the target, whatever the configuration says now. */
  async ownRecordsOf(target: TargetName): Promise<readonly OwnRecord[]> {
    return (await this.#recordsOf(target)).flatMap(({ ours, iface, places }) =>
      ours
        ? asIfaceName(iface).map((name) => ({
            iface: name,
            portals: places.flatMap(({ address, port }) => portalIn(address, port) ?? []),
          }))
        : [],
    );
  }

  /**
   * Makes the record, or gives the one that is there our settings.
   * @throws {VolumeError} `DATABASE_LOCKED`, `DATABASE_FAILED`, `PERMISSION_DENIED`
   */
  async put(key: RecordKey, settings: NodeSettings, signal: AbortSignal): Promise<RecordChange> {
    const defaults = await readIscsidDefaults(this.#files);
    const change = await this.#written(() => this.#plan(key, settings, defaults), signal);
    if (this.#chapByArgument === undefined || settings.chap === undefined || change.kind === 'unchanged') return change;
    try {
      const { recordedAddress } = change;
      await this.#chapByArgument.give(
        { ...key, iface: key.iface.name, ...(recordedAddress === undefined ? {} : { recordedAddress }) },
        settings.chap.password,
        signal,
      );
      if (change.kind === 'created' || change.ours) await this.#claim(change.path, key);
    } catch (error) {
      await this.undo(change, AbortSignal.timeout(LATE_MS));
      throw error;
    }
    return change;
  }

  /** Whether there is a record of this target, portal and iface, and all such records are of this library's making. */
  async isOurs(key: SessionKey): Promise<boolean> {
    const files = await this.find(key);
    return files.length > 0 && files.every((file) => file.ours);
  }

  /** Takes back what put() did. */
  async undo(change: RecordChange, signal: AbortSignal): Promise<void> {
    if (change.kind === 'unchanged') return;
    if (change.kind === 'created') {
      await this.#database.hold(signal, async () => {
        await this.#delete(change.path);
      });
      return;
    }
    await this.#database.withDraft(change.before, async (draft) => {
      await this.#database.hold(signal, async () => {
        if ((await this.#files.kind(change.path)) !== undefined) await this.#place(draft, change.path, change.before);
      });
    });
  }

  /** Removes the records of this target, portal and iface that are ours. @returns how many */
  async removeOurs(key: SessionKey, signal: AbortSignal): Promise<number> {
    if (!(await this.find(key)).some((file) => file.ours)) return 0;
    return await this.#database.hold(signal, async () => {
      const ours = (await this.find(key)).filter((file) => file.ours);
      for (const { path } of ours) await this.#delete(path);
      return ours.length;
    });
  }

  async #plan(key: RecordKey, settings: NodeSettings, defaults: RecordValues): Promise<WritePlan> {
    const [present] = await this.find({ ...key, iface: key.iface.name });
    if (present === undefined) {
      const path = `${await this.#portalFolder(key)}/${key.iface.name}`;
      return {
        change: { kind: 'created', path },
        text: formatRecord(this.#onFile(newNodeRecord(key, settings, defaults)), ...commentsOf(key)),
      };
    }
    const { path, text, ours, address } = present;
    const record = parseRecord(text);
    const wanted = withSettings(ours ? asConfigured(record, defaults) : record, settings);
    const recordedAddress = address === key.portal.address ? {} : { recordedAddress: address };
    if (sameValues(record, wanted)) return { change: { kind: 'unchanged', ...recordedAddress } };
    const onFile = this.#onFile(wanted);
    const change = { kind: 'changed', path, before: text, ours, ...recordedAddress } as const;
    return { change, text: ours ? formatRecord(onFile, ...commentsOf(key)) : editRecord(text, onFile) };
  }

  /**
   * What the plan says, written to the disk before the lock is taken, and made anew under it: most often it is the
   * same, and a rename is all that is left to do.
   */
  async #written(plan: () => Promise<WritePlan>, signal: AbortSignal): Promise<RecordChange> {
    const before = await plan();
    if (before.text === undefined) return before.change;
    return await this.#database.withDraft(
      before.text,
      async (draft) =>
        await this.#database.hold(signal, async () => {
          const now = await plan();
          if (now.text !== undefined) await this.#place(draft, now.change.path, now.text);
          return now.change;
        }),
    );
  }

  /** Puts the text in its place, under the lock. */
  async #place(draft: Draft, path: string, text: string): Promise<void> {
    await this.#files.makeDirectory(path.slice(0, path.lastIndexOf('/')), 0o700);
    if (draft.text === text && (await this.#files.rename(draft.path, path))) return;
    await this.#files.replace(path, text, 0o600, draft.path);
  }

  /** What of a record this library writes itself. */
  #onFile(record: RecordValues): RecordValues {
    return this.#chapByArgument === undefined ? record : withoutPassword(record);
  }

  /** iscsiadm drops comments when it writes a record: without this one nobody would know that it is ours to remove. */
  async #claim(path: string, key: RecordKey): Promise<void> {
    const plan = async (): Promise<WritePlan> => {
      const before = await readRecordText(this.#files, path);
      if (before === undefined) return { change: { kind: 'unchanged' } };
      return {
        change: { kind: 'changed', path, before, ours: true },
        text: formatRecord(parseRecord(before), ...commentsOf(key)),
      };
    };
    await this.#written(plan, AbortSignal.timeout(LATE_MS));
  }

  /**
   * Every record of the target: files below `address,port,tpgt/`, and of the old style, the file `address,port` itself
   * (usr/idbm.c, idbm_for_each_portal).
   */
  async #recordsOf(target: TargetName): Promise<readonly FoundRecord[]> {
    const folder = `${await this.#nodes()}/${target}`;
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

  /** Our own spelling, under the tag that is given, else the one under which there is a folder in whatever spelling. */
  async #portalFolder({ target, portal }: RecordKey): Promise<string> {
    const folder = `${await this.#nodes()}/${target}`;
    const present = (await this.#files.list(folder)).map(parsePortalFolder).find((place) => {
      const found = place?.tag === undefined ? undefined : portalIn(place.address, place.port);
      return found !== undefined && !isPortalName(found) && samePortal(found, portal);
    });
    return `${folder}/${portal.address},${portal.port},${portal.tpgt ?? present?.tag ?? tpgtOf(portal)}`;
  }

  async #delete(path: string): Promise<void> {
    await this.#files.remove(path);
    const portal = path.slice(0, path.lastIndexOf('/'));
    if (await this.#files.removeDirectory(portal))
      await this.#files.removeDirectory(portal.slice(0, portal.lastIndexOf('/')));
  }

  async #nodes(): Promise<string> {
    return `${await this.#database.root()}/nodes`;
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
function portalIn(address: string, port: string): Portal | PortalName | undefined {
  try {
    return recordedPortal(address, port);
  } catch {
    return undefined;
  }
}

function commentsOf({ portal: { hostName, ...place } }: RecordKey): readonly string[] {
  return hostName === undefined ? [OWNER_COMMENT] : [OWNER_COMMENT, portalComment({ hostName, ...place })];
}

function sameValues(one: RecordValues, other: RecordValues): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}

/** A record over an iface of a name that this library would never use is not one of its own. */
function asIfaceName(name: string): readonly IfaceName[] {
  try {
    return [parseIfaceName(name)];
  } catch {
    return [];
  }
}
