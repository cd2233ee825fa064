import { throwIfAborted } from '../base/aborted.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import type { Hardware } from '../hardware/hardware.js';
import { readHardware } from '../hardware/read-hardware.js';
import type { FileSystem } from '../host/file-system.js';
import { ifaceEntry } from '../iface/compare-iface-list.js';
import type { Iface } from '../iface/iface.js';
import { type BrokenIface, readIfaces } from '../iface/read-ifaces.js';
import { checkGenerated } from './check-iface-record.js';
import type { IfaceReport, IfaceReports } from './iface-report.js';
import { verifyIface } from './verify-iface.js';

/** Reports every iface of the host: the records, those that are broken, the built-in ones. */
export class HostIfaceReports implements IfaceReports {
  readonly #files: FileSystem;
  readonly #database: OpenIscsiDatabase;

  constructor({ files, database }: { readonly files: FileSystem; readonly database: OpenIscsiDatabase }) {
    this.#files = files;
    this.#database = database;
  }

  async list(signal: AbortSignal): Promise<readonly IfaceReport[]> {
    throwIfAborted(signal);
    const [{ ifaces, broken }, hardware] = await Promise.all([
      readIfaces(this.#files, this.#database),
      readHardware(this.#files, []),
    ]); // no portal, so no address is asked for
    return [...broken.map(reportBroken), ...ifaces.map((iface) => report(iface, hardware))];
  }
}

function report(iface: Iface, hardware: Hardware): IfaceReport {
  const { name, transport, hwaddress, ipaddress, netIfacename, builtIn } = iface;
  const verdict = verifyIface(iface, hardware);
  const facts = {
    name,
    transport,
    hwaddress,
    ipaddress,
    netIfacename,
    builtIn,
    findings: builtIn ? [] : checkGenerated(ifaceEntry(iface), hardware),
  };
  if (verdict.kind === 'usable') return { ...facts, usable: true, code: undefined, reason: undefined };
  return {
    ...facts,
    usable: false,
    code: verdict.code,
    reason: verdict.hint === undefined ? verdict.reason : `${verdict.reason}: ${verdict.hint}`,
  };
}

function reportBroken({ name, reason }: BrokenIface): IfaceReport {
  return {
    name,
    transport: '?',
    hwaddress: undefined,
    ipaddress: undefined,
    netIfacename: undefined,
    builtIn: false,
    usable: false,
    code: 'RECORD_BROKEN',
    reason,
    findings: [],
  };
}
