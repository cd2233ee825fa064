import { quoted } from '../base/quoted.js';
import { canonicalAddress } from '../base/ip-address.js';
import { isUnset } from '../database/record-text.js';

/** One line of `iscsiadm -m iface`. The transport may be one that this library does not know. */
export interface IfaceEntry {
  readonly name: string;
  readonly transport: string;
  /** Lower case. */
  readonly hwaddress: string | undefined;
  readonly ipaddress: string | undefined;
  readonly netIfacename: string | undefined;
  readonly initiatorname: string | undefined;
}

/**
 * `name transport,hwaddress,ipaddress,net_ifacename,initiatorname` (usr/iface.c, iface_print_flat, which quotes
 * nothing: a comma in a field makes a line that cannot be told).
 */
const LINE = /^(\S+) ([^\s,]+),([^,]*),([^,]*),([^,]*),([^,]*)$/;

/**
 * Reads what `iscsiadm -m iface` prints. Blank lines, blanks at the end of a line and a carriage return mean nothing.
 * @throws {SyntaxError} that quotes the line it does not understand
 */
export function parseIfaceList(text: string): readonly IfaceEntry[] {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .map(parseLine);
}

function parseLine(line: string): IfaceEntry {
  const [, name, transport, hwaddress, ipaddress, netIfacename, initiatorname] = LINE.exec(line) ?? [];
  if (name === undefined || transport === undefined) {
    throw new SyntaxError(
      `Cannot read the iface line ${quoted(line)}: expected "name ` +
        'transport,hwaddress,ipaddress,net_ifacename,initiatorname"',
    );
  }
  const address = set(ipaddress);
  return {
    name,
    transport,
    hwaddress: set(hwaddress)?.toLowerCase(),
    ipaddress: address === undefined ? undefined : canonicalAddress(address),
    netIfacename: set(netIfacename),
    initiatorname: set(initiatorname),
  };
}

function set(field: string | undefined): string | undefined {
  return field === undefined || isUnset(field) ? undefined : field;
}
