import type { RecordValues } from '../database/record-text.js';
import type { IscsiHost } from '../hardware/hardware.js';
import type { Transport } from '../hardware/transport.js';
import { DEFAULT_IFACE, type IfaceName, ISER_IFACE } from './iface-name.js';

/** One iface record of open-iscsi: which transport, over which hardware, from which address. */
export interface Iface {
  readonly name: IfaceName;
  readonly transport: Transport;
  /** The MAC address in lower case. */
  readonly hwaddress: string | undefined;
  readonly ipaddress: string | undefined;
  readonly netIfacename: string | undefined;
  /** Every `iface.` line of the record, as a node record copies them. */
  readonly values: RecordValues;
  readonly builtIn: boolean;
}

/** `default` and `iser` are in open-iscsi's code and never in a file (usr/iface.c, default_ifaces). */
export const BUILT_IN_IFACES: readonly Iface[] = [builtIn(DEFAULT_IFACE, 'tcp'), builtIn(ISER_IFACE, 'iser')];

function builtIn(name: IfaceName, transport: Transport): Iface {
  return {
    name,
    transport,
    hwaddress: undefined,
    ipaddress: undefined,
    netIfacename: undefined,
    builtIn: true,
    values: new Map<string, string>([
      ['iface.iscsi_ifacename', name],
      ['iface.transport_name', transport],
    ]),
  };
}

/**
 * By what iscsid finds the iface's HBA: the MAC, else the network device, else the address (usr/iscsi_sysfs.c,
 * iscsi_sysfs_get_host_no_from_hwinfo).
 */
export function bindingOf({
  hwaddress,
  netIfacename,
  ipaddress,
}: Iface): readonly [keyof IscsiHost & ('hwaddress' | 'netdev' | 'ipaddress'), string | undefined] {
  if (hwaddress !== undefined) return ['hwaddress', hwaddress];
  return netIfacename === undefined ? ['ipaddress', ipaddress] : ['netdev', netIfacename];
}
