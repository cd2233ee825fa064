import { isPortalName } from '../../connection/portal-name.js';
import { samePortal } from '../../connection/portal.js';
import { parsePortalFolder } from '../../connection/recorded-portal.js';
import { editRecord } from '../../database/edit-record.js';
import type { Draft, OpenIscsiDatabase } from '../../database/open-iscsi-database.js';
import {
  formatRecord,
  OWNER_COMMENT,
  parseRecord,
  readRecordText,
  type RecordValues,
} from '../../database/record-text.js';
import type { FileSystem } from '../../host/file-system.js';
import type { Iface } from '../../iface/iface.js';
import type { ChapByArgument } from './chap-by-argument.js';
import { readIscsidDefaults } from './iscsid-defaults.js';
import {
  asConfigured,
  newNodeRecord,
  type NodeSettings,
  tpgtOf,
  withoutPassword,
  withPlace,
  withSettings,
} from './node-record.js';
import { givenBack, type LentRecord, lentRecord } from './lent-record.js';
import { LentRecords, type LentRecordsParts } from './lent-records.js';
import { portalComment } from './recorded-portals.js';
import { type NodeFile, NodeRecords, portalIn } from './node-records.js';
import type { SessionKey } from '../session.js';

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
  | {
      readonly change: Exclude<RecordChange, { readonly kind: 'unchanged' }>;
      readonly text: string;
      /** For an administrator's record that gets our settings: what it takes to give it back. */
      readonly lent?: LentRecord;
    };

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
  readonly records: NodeRecords;
  readonly #files: FileSystem;
  readonly #database: OpenIscsiDatabase;
  readonly #lent: LentRecords;
  readonly #chapByArgument: ChapByArgument | undefined;

  /** @param chapByArgument how secrets get into records, where that is not to be by their files */
  constructor({
    files,
    database,
    chapByArgument,
    ...parts
  }: LentRecordsParts & {
    readonly database: OpenIscsiDatabase;
    readonly chapByArgument?: ChapByArgument | undefined;
  }) {
    this.records = new NodeRecords({ files, database });
    this.#files = files;
    this.#database = database;
    this.#lent = new LentRecords({ files, ...parts });
    this.#chapByArgument = chapByArgument;
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
    const files = await this.records.find(key);
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
    await this.#restore(change.path, () => change.before, signal);
    if (!change.ours) await this.#lent.drop(change.path);
  }

  /** Administrators' records that have our settings: under no login, what killed processes have left. */
  async lentRecords(): Promise<readonly LentRecord[]> {
    return await this.#lent.all();
  }

  /** Gives a record back, as its administrator had it. To be called under its target's lock. */
  async giveBackLent(record: LentRecord, signal: AbortSignal): Promise<void> {
    await this.#restore(record.path, (now) => givenBack(now, record), signal);
    await this.#lent.drop(record.path);
  }

  /** What a process that was killed in a login has left in an administrator's records. */
  async #giveBack(files: readonly NodeFile[], signal: AbortSignal): Promise<void> {
    for (const { path, ours } of files) {
      const lent = ours ? undefined : await this.#lent.find(path);
      if (lent === undefined) continue;
      await this.giveBackLent(lent, signal);
    }
  }

  /** Of a process that was killed between a folder and its record. */
  async #removeEmptyFolders({ target, portal }: SessionKey): Promise<void> {
    const folder = `${await this.records.folder()}/${target}`;
    const ours = (await this.#files.list(folder)).filter((name) =>
      name.startsWith(`${portal.address},${portal.port},`),
    );
    const removed = await Promise.all(
      ours.map(
        async (name) =>
          (await this.#files.kind(`${folder}/${name}`)) === 'directory' &&
          (await this.#files.removeDirectory(`${folder}/${name}`)),
      ),
    );
    if (removed.includes(true)) await this.#files.removeDirectory(folder);
  }

  /** @param textOf what is to be there, for what is there */
  async #restore(path: string, textOf: (now: string) => string, signal: AbortSignal): Promise<void> {
    const plan = async (): Promise<WritePlan> => {
      const now = await readRecordText(this.#files, path);
      const text = now === undefined ? undefined : textOf(now);
      if (now === undefined || text === undefined || text === now) return { change: { kind: 'unchanged' } };
      return { change: { kind: 'changed', path, before: now, ours: true }, text };
    };
    await this.#written(plan, signal);
  }

  /**
   * Removes the records of this target, portal and iface that are ours; those of an administrator that still have our
   * settings, as a process was killed in a login, are given back.
   * @returns how many were removed
   */
  async removeOurs(key: SessionKey, signal: AbortSignal): Promise<number> {
    const files = await this.records.find(key);
    await this.#giveBack(files, signal);
    if (!files.some((file) => file.ours)) {
      await this.#removeEmptyFolders(key);
      await this.#database.tidy();
      return 0;
    }
    return await this.#database.hold(signal, async () => {
      const ours = (await this.records.find(key)).filter((file) => file.ours);
      for (const { path } of ours) await this.#delete(path);
      return ours.length;
    });
  }

  async #plan(key: RecordKey, settings: NodeSettings, defaults: RecordValues): Promise<WritePlan> {
    const [present] = await this.records.find({ ...key, iface: key.iface.name });
    if (present === undefined) {
      const path = `${await this.#portalFolder(key)}/${key.iface.name}`;
      return {
        change: { kind: 'created', path },
        text: formatRecord(this.#onFile(newNodeRecord(key, settings, defaults)), ...commentsOf(key)),
      };
    }
    const { path, ours, address } = present;
    const lent = ours ? undefined : await this.#lent.find(path);
    const text = lent === undefined ? present.text : givenBack(present.text, lent);
    const record = parseRecord(text);
    const wanted = withPlace(withSettings(ours ? asConfigured(record, defaults) : record, settings), key, address);
    const recordedAddress = address === key.portal.address ? {} : { recordedAddress: address };
    if (sameValues(record, wanted) && text === present.text)
      return { change: { kind: 'unchanged', ...recordedAddress } };
    const onFile = this.#onFile(wanted);
    const change = { kind: 'changed', path, before: text, ours, ...recordedAddress } as const;
    if (ours) return { change, text: formatRecord(onFile, ...commentsOf(key)) };
    const edited = editRecord(text, onFile);
    return { change, text: edited, lent: lentRecord(path, text, edited, wanted) };
  }

  /**
   * What the plan says, written to the disk before the lock is taken, and made anew under it: most often it is the
   * same, and a rename is all that is left to do.
   */
  async #written(plan: () => Promise<WritePlan>, signal: AbortSignal): Promise<RecordChange> {
    const before = await plan();
    if (before.text === undefined) return before.change;
    if (before.lent !== undefined) await this.#lent.keep(before.lent);
    return await this.#database.withDraft(
      before.text,
      async (draft) =>
        await this.#database.hold(signal, async () => {
          const now = await plan();
          if (now.text !== undefined && now.lent !== undefined && now.text !== before.text)
            await this.#lent.keep(now.lent);
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

  /** Our own spelling, under the tag that is given, else the one under which there is a folder in whatever spelling. */
  async #portalFolder({ target, portal }: RecordKey): Promise<string> {
    const folder = `${await this.records.folder()}/${target}`;
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
}

function commentsOf({ portal: { hostName, ...place } }: RecordKey): readonly string[] {
  return hostName === undefined ? [OWNER_COMMENT] : [OWNER_COMMENT, portalComment({ hostName, ...place })];
}

function sameValues(one: RecordValues, other: RecordValues): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}
