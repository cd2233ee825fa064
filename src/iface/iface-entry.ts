import type { Iface } from './iface.js';
import type { IfaceEntry } from './parse-iface-list.js';
import { valueOf } from '../database/record-text.js';

/** An iface as a line of `iscsiadm -m iface` shows it. */
export function ifaceEntry({ name, transport, hwaddress, ipaddress, netIfacename, values }: Iface): IfaceEntry {
  return { name, transport, hwaddress, ipaddress, netIfacename, initiatorname: valueOf(values, 'iface.initiatorname') };
}
