import { shellWords } from '../base/quoted.js';
import { VolumeError } from '../base/volume-error.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import {
  formatRecord,
  isOurs,
  isUnset,
  OWNER_COMMENT,
  parseRecord,
  readRecordText,
  type RecordValues,
} from '../database/record-text.js';
import type { FileSystem } from '../host/file-system.js';
import type { IfaceName } from './iface-name.js';
import type { Iface } from './iface.js';

/** The keys that bind a session; a record may have others that open-iscsi added when it rewrote it. */
const DECIDING = [
  'iface.transport_name',
  'iface.hwaddress',
  'iface.ipaddress',
  'iface.net_ifacename',
  'iface.initiatorname',
  'iface.vlan_id',
];

/** What put() did. */
export type IfaceChange = { readonly kind: 'created'; readonly name: IfaceName } | { readonly kind: 'unchanged' };

/**
 * open-iscsi's iface records of our own making, as files under its own lock. A record that is there is never written to
 * (`-o new` resets it).
 */
export class IfaceRecords {
  readonly #files: FileSystem;
  readonly #database: OpenIscsiDatabase;

  constructor({ files, database }: { readonly files: FileSystem; readonly database: OpenIscsiDatabase }) {
    this.#files = files;
    this.#database = database;
  }

  /**
   * Makes the record, unless it is there with the same values.
   * @throws {VolumeError} `IFACE_UNUSABLE` when it is there with others; `DATABASE_FAILED` when it does not read back;
   * `DATABASE_LOCKED`, `PERMISSION_DENIED`
   */
  async put({ name, values }: Iface, signal: AbortSignal): Promise<IfaceChange> {
    return await this.#database.hold(signal, async () => {
      const root = await this.#database.root();
      const path = `${root}/ifaces/${name}`;
      const present = await readRecordText(this.#files, path);
      if (present !== undefined) return keep(path, present, { name, values });
      await this.#files.makeDirectory(`${root}/ifaces`, 0o700);
      // open-iscsi takes any file in ifaces/ for a record
      await this.#files.replace(path, formatRecord(values, OWNER_COMMENT), 0o600, `${root}/.libvirt-volume-iface`);
      const written = await readRecordText(this.#files, path);
      if (written === undefined || !sameValues(parseRecord(written), values))
        throw new VolumeError(
          'DATABASE_FAILED',
          `Cannot make the iface ${name}: ${path} does not hold what was written to it`,
        );
      return { kind: 'created', name };
    });
  }

  /**
   * Removes a record of ours.
   * @returns false when there is none
   * @throws {VolumeError} `IFACE_UNUSABLE` when it is not ours, or a session uses it (open-iscsi could no longer log
   * that out by its number)
   */
  async remove(name: IfaceName, signal: AbortSignal): Promise<boolean> {
    return await this.#database.hold(signal, async () => {
      const path = `${await this.#database.root()}/ifaces/${name}`;
      const text = await readRecordText(this.#files, path);
      if (text === undefined) return false;
      if (!isOurs(text)) {
        throw new VolumeError('IFACE_UNUSABLE', `Cannot remove the iface ${name}: this library did not make it`, {
          hint: deleteIfaceCommand(name),
        });
      }
      const sessions = await this.#sessionsOf(name);
      if (sessions.length > 0) {
        throw new VolumeError('IFACE_UNUSABLE', `Cannot remove the iface ${name}: ${sessions.join(', ')} uses it`, {
          hint: 'disconnect its volumes first',
          details: { sessions },
        });
      }
      await this.#files.remove(path);
      return true;
    });
  }

  async #sessionsOf(name: IfaceName): Promise<readonly string[]> {
    const sessions = await this.#files.list('/sys/class/iscsi_session');
    const names = await Promise.all(
      sessions.map((session) => this.#files.readText(`/sys/class/iscsi_session/${session}/ifacename`)),
    );
    return sessions.filter((_session, index) => names[index] === name);
  }
}

function keep(path: string, present: string, { name, values }: Pick<Iface, 'name' | 'values'>): IfaceChange {
  if (sameValues(parseRecord(present), values)) return { kind: 'unchanged' };
  throw new VolumeError('IFACE_UNUSABLE', `Cannot make the iface ${name}: ${path} is there with other values`, {
    hint:
      `look at it with: iscsiadm -m iface ${shellWords('-I', name)}; if nobody needs it: ` + deleteIfaceCommand(name),
  });
}

function sameValues(present: RecordValues, wanted: RecordValues): boolean {
  return (
    [...wanted].every(([key, value]) => present.get(key) === value) &&
    DECIDING.every((key) => wanted.has(key) || isNothing(key, present.get(key) ?? ''))
  );
}

/** open-iscsi writes VLAN 0 where there is none (usr/idbm.c, idbm_recinfo_iface). */
function isNothing(key: string, value: string): boolean {
  return isUnset(value) || (key === 'iface.vlan_id' && value === '0');
}

/** Deletes an iface record once root's own folder has what is in it: somebody may have made it by hand. */
export function deleteIfaceCommand(name: string): string {
  const iface = `iscsiadm -m iface ${shellWords('-I', name)}`;
  return `${iface} >> ${shellWords(`/root/iface-${name}`)} && ${iface} -o delete`;
}
