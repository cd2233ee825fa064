import { canonicalAddress, isIP } from '../base/ip-address.js';
import { VolumeError } from '../base/volume-error.js';
import type { Hardware, IscsiHost, NetDevice } from '../hardware/hardware.js';
import type { Iface } from './iface.js';
import type { NewIface } from './name-iface.js';
import { TRANSPORT_FACTS, transportOfNetDriver } from '../hardware/transport-facts.js';
import { isTransport, type Transport } from '../hardware/transport.js';

/** An iface for a source address: a record that is there, or the values of one that is to be made. */
export type IfaceChoice = (
  { readonly kind: 'record'; readonly iface: Iface } | ({ readonly kind: 'make' } & NewIface)
) & {
  /** Why it is software TCP though a card could do more: one sentence for people. */
  readonly note?: string;
};

/**
 * The iface whose sessions come from this address: the HBA that has it, or a record that gives it to an HBA; else the
 * network device that has it, and from there its PCI function's driver, the HBA on the same function, and its
 * transport. A device without such an HBA is software TCP, bound to the device by name: a VLAN and a bond have the MAC
 * of the device below, by which open-iscsi takes the first one (usr/iscsi_net_util.c). So is one whose HBA needs an
 * address of its own.
 * @throws {VolumeError} `IFACE_NOT_FOUND` with the addresses there are; `IFACE_UNUSABLE` with the candidates when
 * several fit
 */
export function ifaceOfAddress(address: string, hardware: Hardware, ifaces: readonly Iface[]): IfaceChoice {
  const ipaddress = canonicalAddress(address);
  const devices = hardware.netDevices.filter(({ addresses }) => addresses.includes(ipaddress));
  const mayHave = (transport: Transport): boolean => devices.length === 0 || !TRANSPORT_FACTS[transport].ownAddress;
  const hosts = offloadHosts(hardware).filter(
    (host) => mayHave(host.transport) && addressesOf(host).includes(ipaddress),
  );
  if (hosts.length > 0)
    return overHost(
      only(ipaddress, hosts, ({ host }) => `host${host}`),
      ipaddress,
      ifaces,
    );
  const recorded = ifaces.filter(
    (iface) => iface.transport !== 'tcp' && mayHave(iface.transport) && iface.ipaddress === ipaddress,
  ); // bnx2i and qedi: the address is in the record alone until the first login
  if (recorded.length > 0) return { kind: 'record', iface: only(ipaddress, recorded, ({ name }) => name) };
  if (devices.length === 0) throw notFound(ipaddress, hardware);
  const device = only(ipaddress, devices, ({ name }) => name);
  const host = hostOfDevice(device, ipaddress, hardware);
  if (host === undefined) return overTcp(device, ipaddress, ifaces);
  return mayHave(host.transport)
    ? overHost(host, ipaddress, ifaces)
    : { ...overTcp(device, ipaddress, ifaces), note: needsAnother(host, device, ipaddress) };
}

function needsAnother({ transport, hwaddress }: OffloadHost, { name }: NetDevice, ipaddress: string): string {
  return (
    `the address ${ipaddress} is that of the network device ${name}, so volumes go over tcp: the ${transport} ` +
    `HBA of that card needs another one, as in iscsi_iface = { transport = "${transport}", hwaddress = ` +
    `"${hwaddress}", ipaddress = "…" }`
  );
}

type OffloadHost = IscsiHost & { readonly transport: Transport; readonly hwaddress: string };

function offloadHosts({ hosts }: Hardware): readonly OffloadHost[] {
  return hosts.filter(
    (host): host is OffloadHost =>
      isTransport(host.transport) && TRANSPORT_FACTS[host.transport].unbound !== 'none' && host.hwaddress !== undefined,
  );
}

function addressesOf({ ipaddress, ifaceAddresses }: IscsiHost): readonly string[] {
  return ipaddress === undefined ? ifaceAddresses : [...new Set([ipaddress, ...ifaceAddresses])];
}

/**
 * The HBA on the device's own function. Chelsio's sessions have the address of the network device, so a VLAN is
 * followed down to its card as the driver does it (drivers/scsi/cxgbi/libcxgbi.c, cxgbi_device_find_by_netdev). bnx2i's
 * have an address and a MAC of the HBA's own, and a VLAN's device is no part of that. A bond is followed by none: cxgbi
 * would for IPv6 alone, to the port whose MAC it has (cxgbi_device_find_by_mac).
 */
function hostOfDevice(device: NetDevice, ipaddress: string, hardware: Hardware): OffloadHost | undefined {
  const base = deviceBelow(device, hardware);
  const transport = base.driver === undefined ? undefined : transportOfNetDriver(base.driver);
  if (transport === undefined || !hardware.transports.has(transport)) return undefined;
  const { mac, ipv6 } = TRANSPORT_FACTS[transport];
  if ((mac === 'own' && base !== device) || (!ipv6 && isIP(ipaddress) === 6)) return undefined;
  return offloadHosts(hardware).find(
    (host) =>
      host.transport === transport &&
      (host.netdev === base.name || (mac === 'network-device' && host.hwaddress === base.hwaddress)),
  );
}

function deviceBelow(device: NetDevice, hardware: Hardware): NetDevice {
  const [name, ...others] = device.lower;
  const below = others.length === 0 ? hardware.netDevices.find((candidate) => candidate.name === name) : undefined;
  return below === undefined || below.hwaddress !== device.hwaddress || device.driver !== undefined
    ? device
    : deviceBelow(below, hardware);
}

function overHost({ transport, hwaddress }: OffloadHost, ipaddress: string, ifaces: readonly Iface[]): IfaceChoice {
  const ofHost = ifaces.filter((iface) => iface.transport === transport && iface.hwaddress === hwaddress);
  const exact = ofHost.filter((iface) => iface.ipaddress === ipaddress);
  const open =
    TRANSPORT_FACTS[transport].ipaddress === 'required'
      ? []
      : ofHost.filter((iface) => iface.ipaddress === undefined && isOfFamily(iface, ipaddress));
  const fitting = exact.length > 0 ? exact : open;
  if (fitting.length > 0) return { kind: 'record', iface: only(ipaddress, fitting, ({ name }) => name) };
  return { kind: 'make', transport, hwaddress, ipaddress, netIfacename: undefined };
}

/** open-iscsi tells the family of a record without an address by its name (`cxgb4i.00:07:43:04:aa:bb.ipv6.0`). */
function isOfFamily({ name }: Iface, ipaddress: string): boolean {
  return name.includes('ipv6') === ipaddress.includes(':') || !/ipv[46]/.test(name);
}

/**
 * A record without an ipaddress or with this one: open-iscsi ignores it once the device is named (usr/io.c,
 * bind_conn_to_iface).
 */
function overTcp({ name: netIfacename }: NetDevice, ipaddress: string, ifaces: readonly Iface[]): IfaceChoice {
  const bound = ifaces.filter(
    (iface) => iface.transport === 'tcp' && iface.hwaddress === undefined && iface.netIfacename === netIfacename,
  );
  const exact = bound.filter((iface) => iface.ipaddress === ipaddress);
  const fitting = exact.length > 0 ? exact : bound.filter((iface) => iface.ipaddress === undefined);
  if (fitting.length > 0) return { kind: 'record', iface: only(ipaddress, fitting, ({ name }) => name) };
  return { kind: 'make', transport: 'tcp', hwaddress: undefined, ipaddress: undefined, netIfacename };
}

function only<Candidate>(
  ipaddress: string,
  candidates: readonly Candidate[],
  nameOf: (candidate: Candidate) => string,
): Candidate {
  const [first, ...others] = candidates;
  if (first === undefined || others.length > 0) {
    const names = candidates.map(nameOf);
    throw new VolumeError(
      'IFACE_UNUSABLE',
      `Cannot choose an iface for the address ${ipaddress}: ${names.join(', ')} all fit`,
      { hint: 'name the iface in iscsi_iface', details: { ipaddress, candidates: names } },
    );
  }
  return first;
}

function notFound(ipaddress: string, hardware: Hardware): VolumeError {
  const candidates = [
    ...offloadHosts(hardware).flatMap((host) =>
      addressesOf(host).map((ipaddress) => `${ipaddress} on host${host.host} (${host.transport})`),
    ),
    ...hardware.netDevices.flatMap(({ name, addresses }) => addresses.map((address) => `${address} on ${name}`)),
  ];
  return new VolumeError(
    'IFACE_NOT_FOUND',
    `Cannot find an iface for the address ${ipaddress}: this host has ` +
      (candidates.length === 0 ? 'no address' : candidates.join(', ')),
    {
      hint: 'give iscsi_iface an address of this host, of a device that is up',
      details: { ipaddress, candidates },
    },
  );
}
