import type { FileSystem } from '../host/file-system.js';
import { BUILT_IN_IFACES, type Iface } from './iface.js';
import type { OpenIscsiDatabase } from './open-iscsi-database.js';
import { parseIface } from './parse-iface.js';

/** An iface record file that cannot be used, and why. */
export interface BrokenIface {
  readonly name: string;
  readonly reason: string;
}

export interface IfaceInventory {
  readonly ifaces: readonly Iface[];
  readonly broken: readonly BrokenIface[];
}

/** Every iface of this host: the record files, then the built-in ones. Reads only; asks no process. */
export async function readIfaces(files: FileSystem, database: OpenIscsiDatabase): Promise<IfaceInventory> {
  const folder = `${await database.root()}/ifaces`;
  const ifaces: Iface[] = [];
  const broken: BrokenIface[] = [];
  for (const name of await files.list(folder)) {
    if (name === 'iface.example') continue; // open-iscsi's documentation, in the folder since ever
    if (BUILT_IN_IFACES.some((builtIn) => builtIn.name === name)) continue; // open-iscsi never reads such a file (usr/iface.c, iface_match_default)
    const text = await files.readText(`${folder}/${name}`);
    if (text === undefined) continue;
    if (text.trim() === '') { // what a killed iscsiadm leaves; open-iscsi would take it for software TCP
      broken.push({ name, reason: `the record ${folder}/${name} is empty` });
      continue;
    }
    try {
      ifaces.push(parseIface(name, text));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      broken.push({ name, reason: error.message });
    }
  }
  return { ifaces: [...ifaces, ...BUILT_IN_IFACES], broken };
}
