import { canonicalAddress, isIP } from '../base/ip-address.js';
import { quoted } from '../base/quoted.js';
import type { HostName } from './host-name.js';

/** Where a target listens. The address is in its one canonical spelling, so two portals are equal when their fields are. */
export interface Portal {
  /** An IPv4 or IPv6 address (RFC 5952 form, no brackets), or a host name in lower case. */
  readonly address: string;
  readonly port: number;
  /** The target portal group tag, where it is known. Not a part of the portal's identity. */
  readonly tpgt?: number;
  /** The name that was asked for, where the address is what it was resolved to. Not a part of the portal's identity. */
  readonly hostName?: HostName;
}

/** IANA's port for iSCSI (RFC 7143, 13). */
export const ISCSI_PORT = 3260;

const PORTAL = /^(?:\[(?<ipv6>[0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|(?<host>[A-Za-z0-9][A-Za-z0-9.-]*))(?::(?<port>\d{1,5}))?(?:,(?<tpgt>\d{1,10}))?$/;
const BARE_IPV6 = /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/;
/** What iscsiadm prints for a tag that it does not know: -1 as unsigned (usr/idbm.c). */
const UNKNOWN_TPGT = 4_294_967_295;

/** @throws {SyntaxError} when the text is not `host`, `host:port`, `[ipv6]:port`, each with `,tpgt` or without */
export function parsePortal(text: string): Portal {
  const groups = PORTAL.exec(BARE_IPV6.test(text) ? `[${text}]` : text)?.groups;
  const host = groups?.['ipv6'] ?? groups?.['host'];
  const port = Number(groups?.['port'] ?? ISCSI_PORT);
  if (host === undefined || port < 1 || port > 65_535 || (groups?.['ipv6'] !== undefined && isIP(host) !== 6) || isMistypedIPv4(host) || host.includes('..')) {
    throw new SyntaxError(`Cannot read ${quoted(text)} as a portal: expected address:port with a port from 1 to 65535, such as 192.0.2.10:3260 or [2001:db8::1]:3260`);
  }
  const tpgt = groups?.['tpgt'] === undefined ? UNKNOWN_TPGT : Number(groups['tpgt']);
  return { address: canonicalAddress(host), port, ...(tpgt <= 65_535 ? { tpgt } : {}) };
}

/** As iscsiadm takes and prints it: `192.0.2.10:3260`, `[2001:db8::1]:3260`. */
export function formatPortal({ address, port }: Portal): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export function samePortal(one: Portal, other: Portal): boolean {
  return one.address === other.address && one.port === other.port;
}

/** Four numbers that are no address (`10.0.0.256`) would otherwise pass as a host name. */
function isMistypedIPv4(host: string): boolean {
  return /^[\d.]+$/.test(host) && isIP(host) !== 4;
}
