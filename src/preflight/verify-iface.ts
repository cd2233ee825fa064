import { shellWords } from '../base/quoted.js';
import type { Hardware, IscsiHost, PciFunction, UnusableCode, Verdict } from '../hardware/hardware.js';
import { cardsOf, TRANSPORT_FACTS } from '../hardware/transport-facts.js';
import type { Transport } from '../hardware/transport.js';
import { bindingOf, type Iface } from '../iface/iface.js';
import { verifyPath } from './verify-path.js';

const USABLE: Verdict = { kind: 'usable' };

/**
 * Whether a session over this iface can come to be, as far as the hardware tells; the cheapest check first. What cannot
 * be known is usable: login will tell, and a session's real transport is read back after it.
 * @param portal where the session would go; without it the way there is not looked at
 */
export function verifyIface(iface: Iface, hardware: Hardware, portal?: { readonly address: string }): Verdict {
  const { ipaddress, needsIscsiuio, ownAddress, unbound } = TRANSPORT_FACTS[iface.transport];
  return (
    verifyModule(iface.transport, hardware) ??
    verifyNetDevice(iface, hardware) ??
    (unbound === 'none' ? undefined : verifyAdapter(iface, hardware)) ??
    (ipaddress === 'required' && iface.ipaddress === undefined ? noAddress(iface) : undefined) ??
    (ownAddress ? verifyOwnAddress(iface, hardware) : undefined) ??
    (needsIscsiuio && !hardware.iscsiuioRuns ? noIscsiuio(iface) : undefined) ??
    verifyPath(iface, hardware, portal?.address) ??
    USABLE
  );
}

/**
 * Registered; or, for a transport that needs no card's driver, ready to be loaded by iscsiadm (usr/iscsi_sysfs.c,
 * iscsi_sysfs_get_transport_by_name).
 */
function verifyModule(
  transport: Transport,
  { transports, loadedModules, loadableModules, pci }: Hardware,
): Verdict | undefined {
  const { module, loadedAtLogin } = TRANSPORT_FACTS[transport];
  if (transports.has(transport)) return undefined;
  if (loadedModules.has(module)) {
    return unusable(
      'NOT_REGISTERED',
      `the module ${module} is loaded and has registered no transport ${transport}: the kernel's log says why`,
      `dmesg | grep ${module}`,
    );
  }
  const cards = cardsOf(transport, pci);
  if (!loadedAtLogin && cards.length === 0) return unusable('NO_HARDWARE', `no ${transport} card is in this host`);
  const found = loadedAtLogin ? '' : `hardware is present (${describe(cards)}) and `;
  if (!loadableModules.has(module)) return unusable('NO_MODULE', `${found}the kernel has no module ${module}`);
  return loadedAtLogin
    ? undefined
    : unusable('MODULE_NOT_LOADED', `${found}its module ${module} is not loaded`, `modprobe ${module}`);
}

/**
 * iface.net_ifacename: a device of this host, or the name that the HBA's driver made up
 * (drivers/scsi/qedi/qedi_iscsi.c, qedi_host_get_param: `host5`). Beside a MAC open-iscsi ignores it; a name that is
 * not there all the same was written for another host, so that the MAC is not believed either.
 */
function verifyNetDevice(
  { name, transport, hwaddress, ipaddress, netIfacename }: Iface,
  { netDevices, hosts }: Hardware,
): Verdict | undefined {
  if (
    netIfacename !== undefined &&
    !netDevices.some((device) => device.name === netIfacename) &&
    !hosts.some(({ netdev }) => netdev === netIfacename)
  ) {
    return unusable(
      'NO_NET_DEVICE',
      `the iface ${name} is bound to the network device ${netIfacename}, and there is none: this host has ` +
        namesOf(netDevices),
    );
  }
  if (transport !== 'tcp') return undefined;
  if (hwaddress !== undefined && !netDevices.some((device) => device.hwaddress === hwaddress)) {
    return unusable('NO_NET_DEVICE', `no network device has the MAC address ${hwaddress} of the iface ${name}`);
  }
  if (hwaddress === undefined && netIfacename === undefined && ipaddress !== undefined) {
    // usr/io.c, bind_conn_to_iface
    const owner = netDevices.find(({ addresses }) => addresses.includes(ipaddress));
    return unusable(
      'NO_HWADDRESS',
      `the iface ${name} names only the address ${ipaddress}, by which open-iscsi cannot bind a tcp session`,
      owner === undefined
        ? undefined
        : `iscsiadm -m iface ${shellWords('-I', name, '-o', 'update', '-n', 'iface.net_ifacename', '-v', owner.name)}`,
    );
  }
  return undefined;
}

function verifyAdapter(iface: Iface, hardware: Hardware): Verdict | undefined {
  const { transport } = iface;
  const { unbound } = TRANSPORT_FACTS[transport];
  const own = hardware.hosts.filter((host) => host.transport === transport);
  if (own.length === 0 && unbound !== 'unknown') return noHost(transport, cardsOf(transport, hardware.pci));
  const [key, value] = bindingOf(iface);
  if (value === undefined) return unbound === 'refused' ? noHwaddress(iface, own) : undefined;
  if (own.some((host) => host[key] === value)) return undefined;
  return unusable(
    'NO_ADAPTER',
    `no ${transport} HBA has the ${NAME_OF[key]} ${value}${whoHasIt(key, value, hardware)}; ` +
      (own.length === 0 ? 'there is none' : `there is ${describeHosts(own)}`),
  );
}

const NAME_OF = { hwaddress: 'MAC address', netdev: 'network device', ipaddress: 'address' } as const;

/** The usual mistakes: the MAC of the card's Ethernet side, or of another card. */
function whoHasIt(key: keyof typeof NAME_OF, value: string, { hosts, netDevices }: Hardware): string {
  const host = hosts.find((other) => other[key] === value);
  if (host !== undefined) return ` (host${host.host} has it, and is a ${host.transport} HBA)`;
  const device = key === 'hwaddress' ? netDevices.find(({ hwaddress }) => hwaddress === value) : undefined;
  return device === undefined ? '' : ` (it is that of the network device ${device.name}; an HBA has its own)`;
}

function noHost(transport: Transport, cards: readonly PciFunction[]): Verdict {
  return cards.length === 0
    ? unusable('NO_HARDWARE', `no ${transport} card is in this host, though the module is loaded`)
    : unusable(
        'NO_ADAPTER',
        `hardware is present (${describe(cards)}) and has made no ${transport} HBA: iSCSI is disabled or not ` +
          'licensed in its firmware, or its driver failed',
        `dmesg | grep ${TRANSPORT_FACTS[transport].module}`,
      );
}

function noHwaddress({ name, transport }: Iface, own: readonly IscsiHost[]): Verdict {
  const [host, ...others] = own.flatMap(({ hwaddress }) => hwaddress ?? []);
  return unusable(
    'NO_HWADDRESS',
    `the iface ${name} names no hwaddress, without which ${transport} connects to nothing; there is ` +
      describeHosts(own),
    host !== undefined && others.length === 0
      ? `iscsiadm -m iface ${shellWords('-I', name, '-o', 'update', '-n', 'iface.hwaddress', '-v', host)}`
      : undefined,
  );
}

function noAddress({ name, transport }: Iface): Verdict {
  return unusable(
    'NO_IPADDRESS',
    `the iface ${name} names no ipaddress, and ${transport} needs one of its own`,
    `iscsiadm -m iface ${shellWords('-I', name)} -o update -n iface.ipaddress -v ADDRESS`,
  );
}

function verifyOwnAddress({ name, transport, ipaddress }: Iface, { netDevices }: Hardware): Verdict | undefined {
  const owner = ipaddress === undefined ? undefined : netDevices.find(({ addresses }) => addresses.includes(ipaddress));
  if (owner === undefined) return undefined;
  return unusable(
    'IPADDRESS_TAKEN',
    `the iface ${name} names the address ${ipaddress ?? ''}, which the network device ${owner.name} has: ` +
      `${transport} needs one of its own`,
    `iscsiadm -m iface -I ${shellWords(name)} -o update -n iface.ipaddress -v ADDRESS`,
  );
}

function noIscsiuio({ transport }: Iface): Verdict {
  return unusable(
    'NO_ISCSIUIO',
    `iscsiuio does not run, and ${transport} connects through it`,
    'systemctl start iscsiuio.socket',
  );
}

function describe(cards: readonly PciFunction[]): string {
  return cards.map(({ vendor, device, address }) => `${vendor}:${device} at ${address}`).join(', ');
}

function describeHosts(hosts: readonly IscsiHost[]): string {
  return hosts.map(({ host, hwaddress }) => `host${host} with ${hwaddress ?? 'no MAC address'}`).join(', ');
}

function namesOf(devices: readonly { readonly name: string }[]): string {
  return devices.map(({ name }) => name).join(', ');
}

function unusable(code: UnusableCode, reason: string, hint?: string): Verdict {
  return { kind: 'unusable', code, reason, hint };
}
