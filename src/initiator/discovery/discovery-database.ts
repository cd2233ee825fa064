import { hashOf } from '../../base/hash-of.js';
import { shellWords } from '../../base/quoted.js';
import { VolumeError } from '../../base/volume-error.js';
import type { Portal } from '../../connection/portal.js';
import type { TargetName } from '../../connection/target-name.js';
import type { OpenIscsiDatabase } from '../../database/open-iscsi-database.js';
import { formatRecord, OWNER_COMMENT, type RecordValues } from '../../database/record-text.js';
import type { FileSystem } from '../../host/file-system.js';
import type { IfaceName } from '../../iface/iface-name.js';

/** Which discovery a record is for. Two at once may differ in any of these. */
export interface DiscoveryKey {
  readonly portal: Portal;
  readonly target: TargetName;
  readonly iface: IfaceName;
}

/** What iscsiadm finds the record by: the name goes where an address would (`-p NAME:PORT`). */
export interface DiscoveryRecordName {
  readonly name: string;
  readonly port: number;
}

/** The secret must not stay on the disk, whatever became of the caller's signal. */
const REMOVAL_MS = 60_000;

/**
 * open-iscsi's discovery records, where a discovery takes its CHAP secret from without it being in any argument.
 * iscsiadm takes the text before the port for the name of the record's folder, and the address to go to from the record
 * itself (usr/idbm.c, idbm_discovery_read), so a record of our own has a name of its own: an administrator's record of
 * the same portal is not read, not written and never has to be put back, not even after a crash.
 */
export class DiscoveryDatabase {
  readonly #files: FileSystem;
  readonly #database: OpenIscsiDatabase;

  constructor({ files, database }: { readonly files: FileSystem; readonly database: OpenIscsiDatabase }) {
    this.#files = files;
    this.#database = database;
  }

  /**
   * Runs the body with the record there, and removes it then. Not twice at once for one key: the target's lock is held
   * outside.
   * @throws {VolumeError} `DATABASE_LOCKED`, `PERMISSION_DENIED`; `CLEANUP_INCOMPLETE` that names the file when it
   * cannot be removed
   */
  async with<Result>(
    key: DiscoveryKey,
    record: RecordValues,
    signal: AbortSignal,
    body: (name: DiscoveryRecordName) => Promise<Result>,
  ): Promise<Result> {
    const name = nameOf(key);
    const folders = await this.#write(name, formatRecord(record, OWNER_COMMENT, targetComment(key.target)), signal);
    let result: Result;
    try {
      result = await body(name);
    } catch (error) {
      await this.#remove(folders, error);
      throw error;
    }
    await this.#remove(folders);
    return result;
  }

  /** Records of our own that are there now: of a discovery that goes on, or of one that was killed. */
  async all(): Promise<readonly OwnDiscovery[]> {
    const all = `${await this.#database.root()}/send_targets`;
    const names = (await this.#files.list(all)).filter((name) => name.startsWith(`${NAME_PREFIX}.`));
    return await Promise.all(
      names.map(async (name) => {
        const own = `${all}/${name}`;
        const text = await this.#files.readText(fileIn({ own }));
        return { folder: own, target: TARGET_COMMENT.exec(text ?? '')?.[1] };
      }),
    );
  }

  /** Removes what a killed discovery has left. To be called under its target's lock. */
  async remove({ folder }: OwnDiscovery): Promise<void> {
    await this.#remove({ all: folder.slice(0, folder.lastIndexOf('/')), own: folder, madeAll: false });
  }

  async #write({ name, port }: DiscoveryRecordName, text: string, signal: AbortSignal): Promise<Folders> {
    const root = await this.#database.root();
    const folders = {
      all: `${root}/send_targets`,
      own: `${root}/send_targets/${name},${port}`,
      madeAll: (await this.#files.kind(`${root}/send_targets`)) === undefined,
    };
    await this.#database.withDraft(text, async (draft) => {
      await this.#database.hold(signal, async () => {
        await this.#files.makeDirectory(folders.own, 0o700);
        if (!(await this.#files.rename(draft.path, fileIn(folders))))
          await this.#files.replace(fileIn(folders), text, 0o600, draft.path);
      });
    });
    return folders;
  }

  async #remove(folders: Folders, first?: unknown): Promise<void> {
    try {
      await this.#database.hold(AbortSignal.timeout(REMOVAL_MS), async () => {
        await this.#files.remove(fileIn(folders));
        await this.#files.removeDirectory(folders.own);
        if (folders.madeAll) await this.#files.removeDirectory(folders.all);
      });
    } catch (error) {
      throw new VolumeError('CLEANUP_INCOMPLETE', `Cannot remove the discovery record ${fileIn(folders)}`, {
        cause: first === undefined ? error : new AggregateError([first, error]),
        hint: `rm -f ${shellWords(fileIn(folders))} && rmdir ${shellWords(folders.own)}`,
      });
    }
  }
}

/** A discovery record of this library's making. */
export interface OwnDiscovery {
  readonly folder: string;
  /** Whose lock its discovery holds; `undefined` where the record is empty, or of an older version. */
  readonly target: string | undefined;
}

const NAME_PREFIX = 'libvirt-volume';
const TARGET_COMMENT = /^# Discovers (\S+)$/m;

function targetComment(target: TargetName): string {
  return `Discovers ${target}`;
}

interface Folders {
  readonly all: string;
  readonly own: string;
  /** Whether the folder of all discovery records is ours as well. */
  readonly madeAll: boolean;
}

function fileIn({ own }: Pick<Folders, 'own'>): string {
  return `${own}/st_config`;
}

/**
 * A folder's name has 255 bytes at most, with the port in it; open-iscsi's buffer for the address is larger
 * (NI_MAXHOST, 1025).
 */
const LONGEST_NAME = 240;

/**
 * iscsiadm ends the name at the first colon (usr/iscsi_util.c, str_to_ipport), so colons and whatever else is no letter
 * or digit of a file name are written
 * as `%3A`. Where that would be too long for a folder, a hash stands for the end of it.
 */
function nameOf({ portal, target, iface }: DiscoveryKey): DiscoveryRecordName {
  const name = [NAME_PREFIX, iface, portal.address, target].map(encodeURIComponent).join('.');
  const short = `${name.slice(0, LONGEST_NAME - 16)}.${hashOf(name)}`;
  return { name: name.length <= LONGEST_NAME ? name : short, port: portal.port };
}
