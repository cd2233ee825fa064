import { endpointAddress, numericAddress, withoutEmbeddedIPv4 } from '../base/ip-address.js';
import { quoted } from '../base/quoted.js';
import { parseRecordedHostName } from './host-name.js';
import type { PortalName } from './portal-name.js';
import { formatPortal, type Portal } from './portal.js';

/** What is known of a portal's group tag, beside address and port. */
type Tagged = Pick<Portal, 'tpgt'>;

/**
 * The portal that open-iscsi means by an address as it stands in its records, in sysfs or in what it prints. It keeps
 * the text that somebody gave it (an
 * administrator, or a target that announces its portals; usr/discovery.c, add_target_record), so one portal may have
 * any of its address's spellings: capitals,
 * leading zeroes, all eight groups, an IPv4 address in octal, a name. It compares them as getaddrinfo(3) reads them
 * (usr/iscsi_util.c, iscsi_addr_match).
 * @throws {SyntaxError} when it is neither an address nor a host name
 */
export function recordedPortal(address: string, port: string | number, tag: Tagged = {}): Portal | PortalName {
  const text = /^\[(.*)\]$/s.exec(address)?.[1] ?? address;
  const number = typeof port === 'number' || /^\d{1,5}$/.test(port) ? Number(port) : Number.NaN;
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw new SyntaxError(`Cannot read ${quoted(port)} as a port: expected a number from 1 to 65535`);
  const found = numericAddress(text);
  return found === undefined
    ? { hostName: parseRecordedHostName(text), port: number, ...tag }
    : { address: endpointAddress(found), port: number, ...tag };
}

/**
 * The folder of a portal's records, as open-iscsi reads its name: `ADDRESS,PORT,TAG`; without a tag it is the one
 * record itself (usr/idbm.c, idbm_for_each_portal).
 */
export interface PortalFolder {
  /** As it is written. */
  readonly address: string;
  readonly port: string;
  readonly tag: string | undefined;
}

/** @returns `undefined` for what open-iscsi passes over: a name without a comma */
export function parsePortalFolder(name: string): PortalFolder | undefined {
  const [address = '', port, ...rest] = name.split(',');
  return port === undefined ? undefined : { address, port, tag: rest.length === 0 ? undefined : rest.join(',') };
}

/**
 * The address and port as iscsiadm's `-p` takes them. It looks for brackets only where there is no dot
 * (usr/iscsi_util.c, str_to_ipport), so an IPv6 address
 * with an IPv4 one in it is written in groups; iscsiadm finds the record of the other spelling by it.
 */
export function portalOperand(address: string, port: number): string {
  return formatPortal({ address: withoutEmbeddedIPv4(/^\[(.*)\]$/s.exec(address)?.[1] ?? address), port });
}
