import { isIP } from '../base/ip-address.js';
import { valueOf } from '../database/record-text.js';
import type { Hardware, IscsiHost, NetDevice } from '../hardware/hardware.js';
import { isInSubnet } from '../hardware/subnet.js';
import { TRANSPORT_FACTS } from '../hardware/transport-facts.js';
import { bindingOf, type Iface } from '../iface/iface.js';
import { boundDevices } from './source-addresses.js';

/** Where the sessions of an iface leave this host, as far as it is known. */
export interface LocalEnd {
  /** The network device that sessions are bound to. */
  readonly device: string | undefined;
  /** The address families it has; `undefined` when that is not known. */
  readonly families: readonly (4 | 6)[] | undefined;
  /** The networks it is directly connected to, as `10.98.0.1/24`; empty when they are not known. */
  readonly networks: readonly string[];
}

const ANYWHERE: LocalEnd = { device: undefined, families: undefined, networks: [] };

/**
 * tcp: the device that the record binds to (SO_BINDTODEVICE); not bound, the kernel's routes decide. iser is never
 * bound to a port. An HBA is where its own address is. The network of that address is known when the record has its
 * prefix, or when the HBA's network device is in it. A Chelsio port shares the addresses of its network device and of
 * the VLANs on that (drivers/scsi/cxgbi/libcxgbi.c, cxgbi_check_route).
 */
export function localEnd(iface: Iface, hardware: Hardware): LocalEnd {
  const { mac, unbound } = TRANSPORT_FACTS[iface.transport];
  if (iface.transport === 'iser') return ANYWHERE;
  if (unbound === 'none') return endOfDevices(devicesOf(iface, hardware));
  const [key, value] = bindingOf(iface);
  const host =
    value === undefined
      ? undefined
      : hardware.hosts.find((candidate) => candidate.transport === iface.transport && candidate[key] === value);
  const families = familiesOf(iface);
  return {
    device: undefined,
    families,
    networks: mac === 'own' ? ownNetworks(iface, host, hardware) : portNetworks(iface, host, hardware),
  };
}

/** Of a MAC that several devices share (a VLAN, a bond), any of them may be the one. */
function endOfDevices(devices: readonly NetDevice[]): LocalEnd {
  const families = devices.flatMap(({ addresses }) => addresses.map(isIP)).filter((family) => family !== 0);
  const [device, ...others] = devices;
  return {
    device: others.length === 0 ? device?.name : undefined,
    families: families.length === 0 ? undefined : families,
    networks: devices.flatMap(({ subnets }) => subnets),
  };
}

function devicesOf(iface: Iface, hardware: Hardware): readonly NetDevice[] {
  const bound = boundDevices(iface, hardware);
  return bound.length > 0
    ? bound
    : hardware.netDevices.filter(
        ({ addresses }) => iface.ipaddress !== undefined && addresses.includes(iface.ipaddress),
      );
}

/**
 * By the address in the record; else by the record's name, as open-iscsi itself tells them
 * (`qedi.00:0e:1e:12:34:56.ipv6.0`; usr/iface.c).
 */
function familiesOf({ name, ipaddress }: Iface): readonly (4 | 6)[] | undefined {
  const family = isIP(ipaddress ?? '');
  if (family !== 0) return [family];
  const [, digit] = /\.ipv([46])(?:\.|$)/.exec(name) ?? [];
  if (digit === undefined) return undefined;
  return digit === '4' ? [4] : [6];
}

function ownNetworks(
  { values, ipaddress }: Iface,
  host: IscsiHost | undefined,
  { netDevices }: Hardware,
): readonly string[] {
  const own = ipaddress ?? host?.ipaddress;
  if (own === undefined) return [];
  const prefix =
    isIP(own) === 4
      ? prefixOfMask(valueOf(values, 'iface.subnet_mask') ?? '')
      : Number(valueOf(values, 'iface.prefix_len') ?? '0');
  if (Number.isInteger(prefix) && prefix > 0 && prefix <= (isIP(own) === 4 ? 32 : 128)) return [`${own}/${prefix}`];
  return netDevices
    .filter(({ name }) => name === host?.netdev)
    .flatMap(({ subnets }) => subnets.filter((subnet) => isInSubnet(own, subnet)));
}

function portNetworks(
  { transport, ipaddress, hwaddress }: Iface,
  host: IscsiHost | undefined,
  { netDevices }: Hardware,
): readonly string[] {
  const port =
    netDevices.find(({ name }) => name === host?.netdev) ??
    netDevices.find((device) => hwaddress !== undefined && device.hwaddress === hwaddress);
  if (port === undefined) return [];
  const all = netDevices
    .filter(({ name, lower }) => name === port.name || lower.includes(port.name))
    .flatMap(({ subnets }) => subnets);
  return ipaddress === undefined || TRANSPORT_FACTS[transport].ipaddress === 'unused'
    ? all
    : all.filter((subnet) => isInSubnet(ipaddress, subnet));
}

/** `255.255.255.0` to 24; 0 when it is no mask. */
function prefixOfMask(mask: string): number {
  if (isIP(mask) !== 4) return 0;
  const bits = mask
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('');
  return /^1+0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : 0;
}
