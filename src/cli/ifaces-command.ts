import type { Command } from 'commander';
import type { IfaceReport } from '../iface/iface-report.js';
import { alignedTable } from './aligned-table.js';
import type { Begin } from './command-work.js';

/** `ifaces`: what volumes can be reached over, and what not, and why. */
export function addIfacesCommand(program: Command, begin: Begin): void {
  program
    .command('ifaces')
    .description('Shows the open-iscsi ifaces of this host, whether each can work, and why not.')
    .addHelpText('after', `
Examples:
  libvirt-volume ifaces
  libvirt-volume ifaces --json`)
    .action(() => {
      begin({
        doing: 'Looking at the ifaces',
        run: async ({ ifaces, signal }) => {
          const reports = await ifaces().list(signal);
          return { document: { ifaces: reports.map(ifaceDocument) }, text: ifaceTable(reports), warnings: [] };
        },
      });
    });
}

function ifaceDocument({ name, transport, hwaddress, ipaddress, netIfacename, builtIn, usable, reason }: IfaceReport): object {
  return {
    name, transport, hwaddress: hwaddress ?? null, ipaddress: ipaddress ?? null, netIfacename: netIfacename ?? null,
    builtIn, usable, reason: reason ?? null,
  };
}

function ifaceTable(reports: readonly IfaceReport[]): string {
  const rows = reports.map(({ name, transport, hwaddress, ipaddress, netIfacename, usable, reason }) => [
    name, transport, hwaddress ?? '-', ipaddress ?? '-', netIfacename ?? '-', usable ? 'yes' : `no: ${reason ?? 'unknown'}`,
  ]);
  return alignedTable([['IFACE', 'TRANSPORT', 'HWADDRESS', 'IPADDRESS', 'NET', 'USABLE'], ...rows]);
}
