import { canonicalAddress, isIP } from '../base/ip-address.js';
import { type Portal, samePortal } from '../connection/portal.js';
import type { TargetName } from '../connection/target-name.js';
import type { Clock } from '../host/clock.js';
import type { FileSystem } from '../host/file-system.js';
import { findDatabaseRoot } from '../iface/database-root.js';
import type { Iface } from '../iface/iface.js';
import { type IfaceName, parseIfaceName } from '../iface/iface-name.js';
import { readRecordFile } from '../iface/read-record-file.js';
import { formatRecord, OWNER_COMMENT, type RecordValues } from '../iface/record-text.js';
import { holdDatabaseLock } from '../iface/database-lock.js';
import { newNodeRecord, type NodeSettings, tpgtOf, withSettings } from './node-record.js';
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

/**
 * open-iscsi's node records, read and written as files under its own lock. That keeps CHAP secrets out of every command line, never
 * resets a record that is there (`-o new` does), never touches the record of another iface, and costs no process.
 */
export class NodeDatabase {
  readonly #files: FileSystem;
  readonly #clock: Clock;

  constructor({ files, clock }: { readonly files: FileSystem; readonly clock: Clock }) {
    this.#files = files;
    this.#clock = clock;
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

  /** Makes the record, or gives the one that is there our settings. @throws {VolumeError} `DATABASE_LOCKED`, `PERMISSION_DENIED` */
  async put(key: Omit<SessionKey, 'iface'> & { readonly iface: Iface }, settings: NodeSettings, signal: AbortSignal): Promise<RecordChange> {
    return await holdDatabaseLock({ files: this.#files, clock: this.#clock, signal }, async () => {
      const [present] = await this.find({ ...key, iface: key.iface.name });
      if (present !== undefined) return await this.#change(present, settings);
      const folder = await this.#portalFolder(key);
      const path = `${folder}/${key.iface.name}`;
      const record = newNodeRecord(key, settings, await this.#iscsidDefaults());
      await this.#files.makeDirectory(folder, 0o700);
      await this.#write(path, formatRecord(record, OWNER_COMMENT));
      return { kind: 'created', path };
    });
  }

  /** Takes back what put() did. */
  async undo(change: RecordChange, signal: AbortSignal): Promise<void> {
    if (change.kind === 'unchanged') return;
    await holdDatabaseLock({ files: this.#files, clock: this.#clock, signal }, async () => {
      if (change.kind === 'created') await this.#delete(change.path);
      else if ((await this.#files.kind(change.path)) !== undefined) await this.#write(change.path, change.before);
    });
  }

  /** Removes the records of this target, portal and iface that are ours. @returns how many */
  async removeOurs(key: SessionKey, signal: AbortSignal): Promise<number> {
    if (!(await this.find(key)).some((file) => file.ours)) return 0;
    return await holdDatabaseLock({ files: this.#files, clock: this.#clock, signal }, async () => {
      const ours = (await this.find(key)).filter((file) => file.ours);
      for (const { path } of ours) await this.#delete(path);
      return ours.length;
    });
  }

  async #change({ path, text, ours }: NodeFile, settings: NodeSettings): Promise<RecordChange> {
    const record = readRecordFile(path, text);
    const wanted = withSettings(record, settings);
    if (sameValues(record, wanted)) return { kind: 'unchanged' };
    await this.#write(path, formatRecord(wanted, ours ? OWNER_COMMENT : undefined));
    return { kind: 'changed', path, before: text, ours };
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
  async #portalFolder({ target, portal }: Omit<SessionKey, 'iface'>): Promise<string> {
    const folder = `${await this.#nodes()}/${target}`;
    const prefix = `${portal.address},${portal.port},`;
    const present = (await this.#files.list(folder)).find((name) => name.startsWith(prefix));
    return `${folder}/${portal.tpgt === undefined && present !== undefined ? present : `${prefix}${tpgtOf(portal)}`}`;
  }

  /** open-iscsi takes any file in a portal's folder for a record, so the temporary one lies beside the folders. */
  async #write(path: string, text: string): Promise<void> {
    await this.#files.replace(path, text, 0o600, `${await findDatabaseRoot(this.#files)}/.libvirt-volume-record`);
  }

  async #delete(path: string): Promise<void> {
    await this.#files.remove(path);
    const portal = path.slice(0, path.lastIndexOf('/'));
    if (await this.#files.removeDirectory(portal)) await this.#files.removeDirectory(portal.slice(0, portal.lastIndexOf('/')));
  }

  async #iscsidDefaults(): Promise<RecordValues> {
    const text = await this.#files.readText('/etc/iscsi/iscsid.conf');
    return text === undefined ? new Map() : readRecordFile('/etc/iscsi/iscsid.conf', text);
  }

  async #nodes(): Promise<string> {
    return `${await findDatabaseRoot(this.#files)}/nodes`;
  }
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
