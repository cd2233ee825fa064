import { throwIfAborted } from '../base/aborted.js';
import type { FileSystem } from '../host/file-system.js';
import { whyUnusable } from './check-transport.js';
import type { IfaceReport, IfaceReports } from './iface-report.js';
import { readIfaces } from './read-ifaces.js';

/** Reports every iface of the host: the records, those that are broken, the built-in ones. */
export class HostIfaceReports implements IfaceReports {
  readonly #files: FileSystem;

  constructor({ files }: { readonly files: FileSystem }) {
    this.#files = files;
  }

  async list(signal: AbortSignal): Promise<readonly IfaceReport[]> {
    throwIfAborted(signal);
    const { ifaces, broken } = await readIfaces(this.#files);
    const whole = await Promise.all(
      ifaces.map(async (iface): Promise<IfaceReport> => {
        const { name, transport, hwaddress, ipaddress, netIfacename, builtIn } = iface;
        const reason = await whyUnusable(iface, this.#files);
        return { name, transport, hwaddress, ipaddress, netIfacename, builtIn, usable: reason === undefined, reason };
      }),
    );
    return [
      ...broken.map(({ name, reason }): IfaceReport => ({
        name, transport: '?', hwaddress: undefined, ipaddress: undefined, netIfacename: undefined, builtIn: false, usable: false, reason,
      })),
      ...whole,
    ];
  }
}
