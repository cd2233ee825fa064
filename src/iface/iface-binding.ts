import type { IscsiHost } from '../hardware/hardware.js';
import type { Iface } from './iface.js';

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
