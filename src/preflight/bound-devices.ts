import type { Hardware, NetDevice } from '../hardware/hardware.js';
import type { Iface } from '../iface/iface.js';

/**
 * As open-iscsi binds (usr/io.c, bind_conn_to_iface): a MAC wins, and a device's name counts only without one. By MAC
 * it takes the first device in the kernel's order that has it (usr/iscsi_net_util.c, net_get_netdev_from_hwaddress). A
 * VLAN and a bond share theirs, so it may be any of these.
 */
export function boundDevices({ hwaddress, netIfacename }: Iface, { netDevices }: Hardware): readonly NetDevice[] {
  return netDevices.filter((device) =>
    hwaddress === undefined ? device.name === netIfacename : device.hwaddress === hwaddress,
  );
}
