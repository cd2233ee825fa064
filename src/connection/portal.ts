import { endpointAddress, isIP } from '../base/ip-address.js';
import { quoted } from '../base/quoted.js';
import type { HostName } from './host-name.js';
import type { PortalName } from './portal-name.js';

/**
 * Where a target listens. The address is in its one canonical spelling, so two portals are equal when their fields are.
 */
export interface Portal {
  /**
   * An IPv4 or IPv6 address (RFC 5952 form, no brackets; IPv4 for an IPv4-mapped one), or a host name in lower case.
   */
  readonly address: string;
  readonly port: number;
  /** The target portal group tag, where it is known. Not a part of the portal's identity. */
  readonly tpgt?: number;
  /** The name that was asked for, where the address is what it was resolved to. Not a part of the portal's identity. */
  readonly hostName?: HostName;
  /**
   * The name under which open-iscsi has the portal in a record or a session of somebody's. Not a part of the portal's
   * identity.
   */
  readonly recordedAs?: PortalName;
}

/** IANA's port for iSCSI (RFC 7143, 13). */
export const ISCSI_PORT = 3260;

const HOST = String.raw`\[(?<ipv6>[0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|(?<host>[A-Za-z0-9][A-Za-z0-9.-]*)`;
const PORTAL = new RegExp(String.raw`^(?:${HOST})(?::(?<port>\d{1,5}))?(?:,(?<tpgt>\d{1,10}))?$`);
const ZONE = /%[\w.-]+$/;
/** What iscsiadm prints for a tag that it does not know: -1 as unsigned (usr/idbm.c). */
const UNKNOWN_TPGT = 4_294_967_295;

/**
 * @throws {SyntaxError} when the text is not `host`, `host:port`, `[ipv6]:port`, each with `,tpgt` or without; or is
 *   IPv6 without brackets whose last
 *   group may be a port as well, with both readings
 */
export function parsePortal(text: string): Portal {
  const groups = PORTAL.exec(withBrackets(text))?.groups;
  const host = groups?.['ipv6'] ?? groups?.['host'];
  const port = Number(groups?.['port'] ?? ISCSI_PORT);
  if (
    host === undefined ||
    !isPort(port) ||
    (groups?.['ipv6'] !== undefined && isIP(host) !== 6) ||
    isMistypedIPv4(host) ||
    host.includes('..')
  ) {
    throw new SyntaxError(
      `Cannot read ${quoted(text)} as a portal: expected address:port with a port from 1 to 65535, such as ` +
        '192.0.2.10:3260 or [2001:db8::1]:3260',
    );
  }
  const tpgt = groups?.['tpgt'] === undefined ? UNKNOWN_TPGT : Number(groups['tpgt']);
  return { address: endpointAddress(host), port, ...(tpgt <= 65_535 ? { tpgt } : {}) };
}

/** As iscsiadm takes and prints it: `192.0.2.10:3260`, `[2001:db8::1]:3260`. */
export function formatPortal({ address, port }: Pick<Portal, 'address' | 'port'>): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export function samePortal(one: Portal, other: Portal): boolean {
  return one.address === other.address && one.port === other.port;
}

/** The lowest port that iSCSI is given (IANA, iscsi and iscsi-target: 860 and 3260). */
const LOWEST_PORT = 860;

/**
 * IPv6 without brackets gets them, where it has one reading. Of `2001:db8::21:3260` nobody can tell whether 3260 is a
 * group or the port; behind eight
 * groups, a zone or an embedded IPv4 address, and with five digits, it is the port, unless it is lower than any of
 * iSCSI's: then it is a group too many.
 */
function withBrackets(text: string): string {
  const [, place = '', tag = ''] = /^(.*?)(,\d{1,10})?$/s.exec(text) ?? [];
  if (!/^[^[]*:[^[]*:/.test(place)) return text;
  const [, head = '', port = ''] = /^(.*):(\d{1,5})$/s.exec(place) ?? [];
  const asAddress = isIPv6(place) ? `[${place}]` : undefined;
  const asPortal = isIPv6(head) && isPort(Number(port)) ? `[${head}]:${port}` : undefined;
  if (asAddress !== undefined && asPortal !== undefined) {
    throw new SyntaxError(
      `Cannot read ${quoted(text)} as a portal: it may be ${asPortal} or, without a port, ${asAddress}: expected ` +
        'address:port with the address in brackets',
    );
  }
  const only = asAddress ?? (Number(port) < LOWEST_PORT ? undefined : asPortal);
  return only === undefined ? text : `${only}${tag}`;
}

function isIPv6(text: string): boolean {
  return isIP(text) === 6 && (!text.includes('%') || ZONE.test(text));
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

/** Four numbers that are no address (`10.0.0.256`) would otherwise pass as a host name. */
function isMistypedIPv4(host: string): boolean {
  return /^[\d.]+$/.test(host) && isIP(host) !== 4;
}
