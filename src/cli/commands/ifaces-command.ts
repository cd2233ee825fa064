import type { Command } from 'commander';
import { VolumeError } from '../../base/volume-error.js';
import { parseIfaceName } from '../../iface/iface-name.js';
import { ifaceRecord } from '../../iface/name-iface.js';
import { TRANSPORTS } from '../../hardware/transport.js';
import type { IfaceReport } from '../../preflight/iface-report.js';
import { alignedTable } from '../output/aligned-table.js';
import type { Begin } from '../command-work.js';
import { type GivenIface, readNewIface } from '../input/read-new-iface.js';

/** `ifaces`: what volumes can be reached over, and what not, and why. */
export function addIfacesCommand(program: Command, begin: Begin): void {
  const ifaces = program
    .command('ifaces')
    .description('Shows the open-iscsi ifaces of this host, whether each can work, and why not.')
    .addHelpText(
      'after',
      `
Examples:
  libvirt-volume ifaces
  libvirt-volume ifaces --json
  libvirt-volume ifaces generate
  libvirt-volume ifaces create --transport cxgb4i --hwaddress 00:07:43:12:34:56
  libvirt-volume ifaces delete libvirt-volume.cxgb4i.000743123456`,
    )
    .action(() => {
      begin({
        doing: 'Looking at the ifaces',
        run: async ({ ifaces, signal }) => {
          const reports = await ifaces().list(signal);
          return { document: { ifaces: reports.map(ifaceDocument) }, text: ifacesText(reports), warnings: [] };
        },
      });
    });
  addGenerateCommand(ifaces, begin);
  addCreateCommand(ifaces, begin);
  addDeleteCommand(ifaces, begin);
}

/** `ifaces generate`: what open-iscsi itself makes of the hardware that is present, read back and checked. */
function addGenerateCommand(ifaces: Command, begin: Begin): void {
  ifaces
    .command('generate')
    .description(
      'Has open-iscsi make an iface record for each HBA that has none (iscsiadm -m iface), and checks all of them ' +
        'against the hardware.',
    )
    .addHelpText(
      'after',
      `
Example:
  libvirt-volume ifaces generate --json`,
    )
    .action(() => {
      begin({
        doing: 'Having open-iscsi make iface records',
        run: async ({ ifaces: reports, ifaceGenerator, signal }) => {
          const { made, differences } = await ifaceGenerator().generate(signal);
          const list = await reports().list(signal);
          const warnings = differences.map(({ iface, reason }) => `${iface}: ${reason}`);
          const text = made.length === 0 ? 'Nothing is new' : `Made ${made.join(', ')}`;
          return {
            document: { made, ifaces: list.map(ifaceDocument), differences, warnings },
            text: `${text}\n\n${ifacesText(list)}`,
            warnings,
          };
        },
      });
    });
}

/**
 * `ifaces create`: a record of our own, or the word that it is there. Its hardware is looked at, and a record that
 * cannot work is made all the same, aloud.
 */
function addCreateCommand(ifaces: Command, begin: Begin): void {
  ifaces
    .command('create')
    .description('Makes an iface record for a card, under a name of its own. Never changes a record that is there.')
    .requiredOption('--transport <T>', `one of ${TRANSPORTS.join(', ')}`)
    .option('--hwaddress <M>', 'the MAC address of the card')
    .option('--ipaddress <A>', 'the address the card shall use; bnx2i and qedi cannot do without')
    .option('--net-ifacename <D>', 'the network device to bind to, where no --hwaddress does it')
    .option('--initiatorname <I>', "the initiator name of its sessions; without it the host's own")
    .option('--vlan <N>', 'the VLAN that the card shall use, 1 to 4094')
    .addHelpText(
      'after',
      `
Examples:
  libvirt-volume ifaces create --transport qedi --hwaddress 00:0e:1e:12:34:56 --ipaddress 192.0.2.7 --vlan 7
  libvirt-volume ifaces create --transport tcp --net-ifacename eth1.20`,
    )
    .action((given: GivenIface) => {
      begin({
        doing: 'Making the iface record',
        run: async ({ ifaces: reports, ifaceRecords, signal }) => {
          const iface = ifaceRecord(readNewIface(given));
          const change = await ifaceRecords().put(iface, signal);
          const report = (await reports().list(signal)).find(({ name }) => name === iface.name);
          const warnings = report?.reason === undefined ? [] : [`${iface.name} cannot work yet: ${report.reason}`];
          const text = change.kind === 'created' ? `Made ${iface.name}` : `Nothing to do: ${iface.name} is there`;
          return {
            document: {
              created: change.kind === 'created',
              iface: report === undefined ? { name: iface.name } : ifaceDocument(report),
              warnings,
            },
            text,
            warnings,
          };
        },
      });
    });
}

/** `ifaces delete`: only of what `create`, or a configuration without a record, made. */
function addDeleteCommand(ifaces: Command, begin: Begin): void {
  ifaces
    .command('delete')
    .description('Removes an iface record that this program made and that no session uses.')
    .argument('<NAME>', 'the name of the iface')
    .action((name: string) => {
      begin({
        doing: 'Removing the iface record',
        run: async ({ ifaceRecords, signal }) => {
          const deleted = await ifaceRecords().remove(
            asUsage(() => parseIfaceName(name)),
            signal,
          );
          return {
            document: { deleted, warnings: [] },
            text: deleted ? `Removed ${name}` : `Nothing to do: there is no record ${name}`,
            warnings: [],
          };
        },
      });
    });
}

function asUsage<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    throw new VolumeError('USAGE', error instanceof Error ? error.message : String(error));
  }
}

function ifaceDocument({
  name,
  transport,
  hwaddress,
  ipaddress,
  netIfacename,
  builtIn,
  usable,
  code,
  reason,
  findings,
}: IfaceReport): object {
  return {
    name,
    transport,
    hwaddress: hwaddress ?? null,
    ipaddress: ipaddress ?? null,
    netIfacename: netIfacename ?? null,
    builtIn,
    usable,
    code: code ?? null,
    reason: reason ?? null,
    findings: findings.map(({ code: of, reason: why, hint }) => ({ code: of, reason: why, hint: hint ?? null })),
  };
}

/** The table, and below it what of the records does not fit the hardware, each with the command that mends it. */
function ifacesText(reports: readonly IfaceReport[]): string {
  const misfits = reports
    .flatMap(({ findings }) => findings)
    .flatMap(({ iface, code, reason, hint }) => [
      [iface, code, reason],
      ...(hint === undefined ? [] : [['', '', hint]]),
    ]);
  return misfits.length === 0
    ? ifaceTable(reports)
    : `${ifaceTable(reports)}\n\nRecords that do not fit the hardware:\n${alignedTable(misfits)}`;
}

function ifaceTable(reports: readonly IfaceReport[]): string {
  const rows = reports.map(({ name, transport, hwaddress, ipaddress, netIfacename, usable, reason }) => [
    name,
    transport,
    hwaddress ?? '-',
    ipaddress ?? '-',
    netIfacename ?? '-',
    usable ? 'yes' : `no: ${reason ?? 'unknown'}`,
  ]);
  return alignedTable([['IFACE', 'TRANSPORT', 'HWADDRESS', 'IPADDRESS', 'NET', 'USABLE'], ...rows]);
}
