import type { Hardware, NetDevice } from '../hardware/hardware.js';
import { bindingOf, type Iface } from '../iface/iface.js';

/**
 * The addresses that sessions of the iface may come from, the likeliest first, as far as the iface says it: its own;
 * else its HBA's; else those of the network device that it is bound to. None where the kernel's routes decide.
 */
export function sourceAddresses(iface: Iface, hardware: Hardware): readonly string[] {
  if (iface.ipaddress !== undefined) return [iface.ipaddress];
  const [key, value] = bindingOf(iface);
  const hba =
    value === undefined
      ? undefined
      : hardware.hosts.find((host) => host.transport === iface.transport && host[key] === value);
  return [
    ...(hba?.ipaddress === undefined ? [] : [hba.ipaddress]),
    ...boundDevices(iface, hardware).flatMap(({ addresses }) => addresses),
  ];
}

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
