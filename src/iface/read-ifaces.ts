import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import { type OddLine, readRecord, readRecordText } from '../database/record-text.js';
import type { FileSystem } from '../host/file-system.js';
import { BUILT_IN_IFACES, type Iface } from './iface.js';
import { ifaceOf } from './parse-iface.js';

/** An iface record file that cannot be used, and why. */
export interface BrokenIface {
  readonly name: string;
  readonly reason: string;
  /** It has not one byte. */
  readonly isEmpty?: boolean;
}

/** A file of which open-iscsi does not take every line as it stands there. */
export interface OddFile {
  readonly path: string;
  readonly oddLines: readonly OddLine[];
}

export interface IfaceInventory {
  readonly ifaces: readonly Iface[];
  readonly broken: readonly BrokenIface[];
}

export interface IfaceFiles extends IfaceInventory {
  /** Records with odd lines, of ifaces that can be used. */
  readonly odd: readonly OddFile[];
}

/** Every iface of this host: the record files, then the built-in ones. Reads only; asks no process. */
export async function readIfaces(files: FileSystem, database: OpenIscsiDatabase): Promise<IfaceFiles> {
  const folder = `${await database.root()}/ifaces`;
  const ifaces: Iface[] = [];
  const broken: BrokenIface[] = [];
  const odd: OddFile[] = [];
  for (const name of await files.list(folder)) {
    if (name === 'iface.example') continue; // open-iscsi's documentation, in the folder since ever
    // open-iscsi never reads such a file (usr/iface.c, iface_match_default)
    if (BUILT_IN_IFACES.some((builtIn) => builtIn.name === name)) continue;
    const path = `${folder}/${name}`;
    const text = await readRecordText(files, path);
    if (text === undefined) continue;
    if (text.trim() === '') {
      // what a killed iscsiadm leaves; open-iscsi would take it for software TCP
      broken.push({ name, reason: `the record ${path} is empty`, isEmpty: text === '' });
      continue;
    }
    const { values, oddLines } = readRecord(text);
    try {
      ifaces.push(ifaceOf(name, values));
      if (oddLines.length > 0) odd.push({ path, oddLines });
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      broken.push({ name, reason: error.message });
    }
  }
  return { ifaces: [...ifaces, ...BUILT_IN_IFACES], broken, odd };
}
