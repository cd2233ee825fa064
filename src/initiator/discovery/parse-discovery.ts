import { quoted } from '../../base/quoted.js';
import type { PortalName } from '../../connection/portal-name.js';
import type { Portal } from '../../connection/portal.js';
import { recordedPortal } from '../../connection/recorded-portal.js';
import type { TargetName } from '../../connection/target-name.js';

/**
 * open-iscsi puts in brackets what has no dot, be it a name, and leaves bare what has one, be it IPv6
 * (`fe80::1%eth0.100`; usr/idbm.c, idbm_print_node_flat).
 */
const LINE = /^(?:\[(?<bracketed>[^[\]\s]+)\]|(?<bare>[^[\]\s]+)):(?<port>\d{1,5}),(?<tpgt>-?\d{1,10}) (?<target>\S+)$/;

/**
 * The portals of one target in what `iscsiadm -m discoverydb --discover` prints: a line for each portal of each target,
 * in the order of the target's answer. The names of other targets are passed over as they are: one that we would not
 * take must not hide ours.
 * @throws {SyntaxError} that quotes the line it does not understand
 */
export function parseDiscovery(text: string, target: TargetName): readonly (Portal | PortalName)[] {
  const portals = text.split('\n').flatMap((line) => {
    if (line.trim() === '') return [];
    const { bracketed, bare, port, tpgt, target: found } = LINE.exec(line)?.groups ?? {};
    const address = bracketed ?? bare;
    if (address === undefined || found === undefined)
      throw new SyntaxError(`Cannot read the line ${quoted(line)}: expected "ADDRESS:PORT,TAG TARGET"`);
    return found === target ? [portalOf(line, address, { port: Number(port), tpgt: Number(tpgt) })] : [];
  });
  return portals.filter((portal, index) => portals.findIndex((one) => sameText(one, portal)) === index);
}

function portalOf(
  line: string,
  address: string,
  { port, tpgt }: { readonly port: number; readonly tpgt: number },
): Portal | PortalName {
  if (port < 1 || port > 65_535)
    throw new SyntaxError(`Cannot read the line ${quoted(line)}: expected a port from 1 to 65535`);
  return recordedPortal(address, port, tpgt >= 0 && tpgt <= 65_535 ? { tpgt } : {});
}

function sameText(one: Portal | PortalName, other: Portal | PortalName): boolean {
  return (
    one.port === other.port &&
    ('address' in one ? one.address : one.hostName) === ('address' in other ? other.address : other.hostName)
  );
}
