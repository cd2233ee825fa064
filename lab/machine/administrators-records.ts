import { readFileSync } from 'node:fs';
import { run } from './commands.js';
import { nodesFolder } from './database-root.js';
import { setUp } from './undo.js';

export interface AdministratorsRecord {
  /**
   * The portal group tag. Without one open-iscsi makes a plain file in place of the portal's folder (usr/idbm.c,
   * idbm_rec_write_old).
   */
  readonly tag?: number;
  /** `default` when absent. */
  readonly iface?: string;
  /** Such as `{ 'node.startup': 'automatic' }`. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Node records of one portal that an administrator made with iscsiadm, for purposes of their own. */
export class AdministratorsRecords implements AsyncDisposable {
  readonly #made: { readonly file: string; readonly node: readonly string[] }[] = [];

  private constructor() {
    // made by create()
  }

  static async create(
    iqn: string,
    address: string,
    records: readonly AdministratorsRecord[],
  ): Promise<AdministratorsRecords> {
    const all = new AdministratorsRecords();
    return await setUp(async (undo) => {
      undo.add(() => all[Symbol.asyncDispose]());
      await all.#make(iqn, address, records);
      return all;
    });
  }

  async #make(iqn: string, address: string, records: readonly AdministratorsRecord[]): Promise<void> {
    for (const { tag, iface = 'default', settings } of records) {
      const place = address.includes(':') ? `[${address}]:3260` : `${address}:3260`;
      const node = ['-m', 'node', '-T', iqn, '-p', `${place}${tag === undefined ? '' : `,${tag}`}`, '-I', iface];
      await run('iscsiadm', [...node, '-o', 'new']);
      const portal = `${nodesFolder()}/${iqn}/${address},3260`;
      this.#made.push({ file: tag === undefined ? portal : `${portal},${tag}/${iface}`, node });
      await run('iscsiadm', [
        ...node,
        '-o',
        'update',
        ...Object.entries(settings).flatMap(([key, value]) => ['-n', key, '-v', value]),
      ]);
    }
  }

  /** Every byte of each. */
  read(): readonly string[] {
    return this.#made.map(({ file }) => readFileSync(file, 'latin1'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { node } of this.#made) await run('iscsiadm', [...node, '-o', 'delete']);
  }
}
