import { boundDevices } from './bound-devices.js';
import type { Hardware } from '../hardware/hardware.js';
import type { Iface } from '../iface/iface.js';
import { bindingOf } from '../iface/iface-binding.js';

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
