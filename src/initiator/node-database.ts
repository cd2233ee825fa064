import { canonicalAddress, isIP } from '../base/ip-address.js';
import { type Portal, samePortal } from '../connection/portal.js';
import type { TargetName } from '../connection/target-name.js';
import type { FileSystem } from '../host/file-system.js';
import type { Iface } from '../iface/iface.js';
import { type IfaceName, parseIfaceName } from '../iface/iface-name.js';
import type { Draft, OpenIscsiDatabase } from '../iface/open-iscsi-database.js';
import { readRecordFile } from '../iface/read-record-file.js';
import { formatRecord, OWNER_COMMENT, type RecordValues } from '../iface/record-text.js';
import type { ChapByArgument } from './chap-by-argument.js';
import { readIscsidDefaults } from './iscsid-defaults.js';
import { asConfigured, newNodeRecord, type NodeSettings, tpgtOf, withoutPassword, withSettings } from './node-record.js';
import { portalComment } from './portal-comment.js';
import type { SessionKey } from './session.js';

/** A record file of the database. */
export interface NodeFile {
  readonly path: string;
  readonly text: string;
  /** True for a record that this library made and that nobody has rewritten since. */
  readonly ours: boolean;
}

/** What put() did, and so what must be done to take it back. */
export type RecordChange =
  | { readonly kind: 'created'; readonly path: string }
  | { readonly kind: 'changed'; readonly path: string; readonly before: string; readonly ours: boolean }
  | { readonly kind: 'unchanged' };

/** What is to be done, and with which text. */
type WritePlan =
  | { readonly change: Extract<RecordChange, { readonly kind: 'unchanged' }>; readonly text?: undefined }
  | { readonly change: Exclude<RecordChange, { readonly kind: 'unchanged' }>; readonly text: string };

/** Whose record it is: a session's key, with the iface as a whole. */
type RecordKey = Omit<SessionKey, 'iface'> & { readonly iface: Iface };

/** For what must be done whatever became of the caller's signal. */
const LATE_MS = 60_000;

/**
 * open-iscsi's node records, read and written as files under its own lock. That keeps CHAP secrets out of every command line, never
 * resets a record that is there (`-o new` does), never touches the record of another iface, and costs no process.
 */
export class NodeDatabase {
  readonly #files: FileSystem;
  readonly #database: OpenIscsiDatabase;
  readonly #chapByArgument: ChapByArgument | undefined;

  /** @param chapByArgument how secrets get into records, where that is not to be by their files */
  constructor({ files, database, chapByArgument }: { readonly files: FileSystem; readonly database: OpenIscsiDatabase; readonly chapByArgument?: ChapByArgument | undefined }) {
    this.#files = files;
    this.#database = database;
    this.#chapByArgument = chapByArgument;
  }

  /** The records of this target, portal and iface: none, one, or one for each tag under which somebody made one. */
  async find({ target, portal, iface }: SessionKey): Promise<readonly NodeFile[]> {
    const folder = `${await this.#nodes()}/${target}`;
    const prefix = `${portal.address},${portal.port}`;
    const names = await this.#files.list(folder);
    const paths = names.flatMap((name) => {
      if (name === prefix) return [`${folder}/${name}`];
      return name.startsWith(`${prefix},`) ? [`${folder}/${name}/${iface}`] : [];
    });
    const found = await Promise.all(paths.map((path) => this.#readFile(path, iface)));
    return found.filter((file) => file !== undefined);
  }

  /** The portals that this target has a record for over this iface, whoever made it: one entry for each record. */
  async portalsOf({ target, iface }: Omit<SessionKey, 'portal'>): Promise<readonly Portal[]> {
    const records = await this.#recordsOf(target);
    return records.filter((record) => record.iface === iface).map(({ portal }) => portal);
  }

  /** The ifaces over which this library has made a record for the portal, whatever the configuration says now. */
  async ownIfacesAt({ target, portal }: Omit<SessionKey, 'iface'>): Promise<readonly IfaceName[]> {
    const records = await this.#recordsOf(target);
    return [...new Set(records.flatMap((record) => (record.ours && samePortal(record.portal, portal) ? asIfaceName(record.iface) : [])))];
  }

  /** Makes the record, or gives the one that is there our settings. @throws {VolumeError} `DATABASE_LOCKED`, `DATABASE_FAILED`, `PERMISSION_DENIED` */
  async put(key: RecordKey, settings: NodeSettings, signal: AbortSignal): Promise<RecordChange> {
    const defaults = await readIscsidDefaults(this.#files);
    const change = await this.#written(() => this.#plan(key, settings, defaults), signal);
    if (this.#chapByArgument === undefined || settings.chap === undefined || change.kind === 'unchanged') return change;
    try {
      await this.#chapByArgument.give({ ...key, iface: key.iface.name }, settings.chap.password, signal);
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
      await this.#database.hold(signal, async () => { await this.#delete(change.path); });
      return;
    }
    await this.#database.withDraft(change.before, async (draft) => { await this.#database.hold(signal, async () => {
      if ((await this.#files.kind(change.path)) !== undefined) await this.#place(draft, change.path, change.before);
    }); });
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
      return { change: { kind: 'created', path }, text: formatRecord(this.#onFile(newNodeRecord(key, settings, defaults)), ...commentsOf(key)) };
    }
    const { path, text, ours } = present;
    const record = readRecordFile(path, text);
    const wanted = withSettings(ours ? asConfigured(record, defaults) : record, settings);
    if (sameValues(record, wanted)) return { change: { kind: 'unchanged' } };
    return { change: { kind: 'changed', path, before: text, ours }, text: formatRecord(this.#onFile(wanted), ...(ours ? commentsOf(key) : [])) };
  }

  /** What the plan says, written to the disk before the lock is taken, and made anew under it: most often it is the same, and a rename is all that is left to do. */
  async #written(plan: () => Promise<WritePlan>, signal: AbortSignal): Promise<RecordChange> {
    const before = await plan();
    if (before.text === undefined) return before.change;
    return await this.#database.withDraft(before.text, async (draft) => await this.#database.hold(signal, async () => {
      const now = await plan();
      if (now.text !== undefined) await this.#place(draft, now.change.path, now.text);
      return now.change;
    }));
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
      const before = await this.#files.readText(path);
      if (before === undefined) return { change: { kind: 'unchanged' } };
      return { change: { kind: 'changed', path, before, ours: true }, text: formatRecord(readRecordFile(path, before), ...commentsOf(key)) };
    };
    await this.#written(plan, AbortSignal.timeout(LATE_MS));
  }

  async #readFile(path: string, iface: string): Promise<NodeFile | undefined> {
    const record = await this.#readRecord(path);
    return record?.iface === iface ? { path, text: record.text, ours: record.ours } : undefined;
  }

  /** Every record of the target: files below `address,port,tpgt/`, and of the old style, the file `address,port` itself. */
  async #recordsOf(target: TargetName): Promise<readonly (NodeFile & { readonly iface: string; readonly portal: Portal })[]> {
    const folder = `${await this.#nodes()}/${target}`;
    const paths = await Promise.all((await this.#files.list(folder)).map(async (name) => {
      const [, address, port] = /^([^,]+),(\d+)(?:,\d+)?$/.exec(name) ?? [];
      if (address === undefined || isIP(address) === 0) return [];
      const portal = { address: canonicalAddress(address), port: Number(port) };
      const names = (await this.#files.kind(`${folder}/${name}`)) === 'directory' ? (await this.#files.list(`${folder}/${name}`)).map((file) => `${name}/${file}`) : [name];
      return names.map((file) => ({ path: `${folder}/${file}`, portal }));
    }));
    const records = await Promise.all(paths.flat().map(async ({ path, portal }) => ({ portal, path, record: await this.#readRecord(path) })));
    return records.flatMap(({ portal, path, record }) => (record === undefined ? [] : [{ ...record, path, portal }]));
  }

  async #readRecord(path: string): Promise<(Omit<NodeFile, 'path'> & { readonly iface: string }) | undefined> {
    if ((await this.#files.kind(path)) !== 'file') return undefined;
    const bytes = await this.#files.readBytes(path);
    if (bytes === undefined) return undefined;
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes); // to the last byte, so that undo() can restore it
    return { text, iface: /^iface\.iscsi_ifacename = (.+)$/m.exec(text)?.[1]?.trim() ?? 'default', ours: text.includes(`# ${OWNER_COMMENT}\n`) };
  }

  /** The folder of the portal: the one that is there under any tag, else that of the given tag. */
  async #portalFolder({ target, portal }: RecordKey): Promise<string> {
    const folder = `${await this.#nodes()}/${target}`;
    const prefix = `${portal.address},${portal.port},`;
    const present = (await this.#files.list(folder)).find((name) => name.startsWith(prefix));
    return `${folder}/${portal.tpgt === undefined && present !== undefined ? present : `${prefix}${tpgtOf(portal)}`}`;
  }

  async #delete(path: string): Promise<void> {
    await this.#files.remove(path);
    const portal = path.slice(0, path.lastIndexOf('/'));
    if (await this.#files.removeDirectory(portal)) await this.#files.removeDirectory(portal.slice(0, portal.lastIndexOf('/')));
  }

  async #nodes(): Promise<string> {
    return `${await this.#database.root()}/nodes`;
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
