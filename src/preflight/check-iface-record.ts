import { shellWords } from '../base/quoted.js';
import type { Hardware } from '../hardware/hardware.js';
import { TRANSPORT_FACTS } from '../hardware/transport-facts.js';
import { isTransport, type Transport } from '../hardware/transport.js';
import { deleteIfaceCommand } from '../iface/iface-records.js';
import type { IfaceEntry } from '../iface/parse-iface-list.js';

/**
 * What is wrong with an iface record, most often one that open-iscsi made for the hardware it found. The codes are
 * stable.
 */
export interface IfaceFinding {
  readonly iface: string;
  readonly code:
    'TRANSPORT_UNKNOWN' | 'MAC_NOT_THERE' | 'TRANSPORT_DIFFERS' | 'IPADDRESS_MISSING' | 'NET_DEVICE_NOT_THERE';
  /** One sentence for people. */
  readonly reason: string;
  /** The command that mends it, where there is one. */
  readonly hint: string | undefined;
}

/**
 * Whether the record fits the hardware that is there: it may have been made for a card that has been replaced since.
 */
export function checkGenerated(entry: IfaceEntry, hardware: Hardware): readonly IfaceFinding[] {
  const { name, transport } = entry;
  if (!isTransport(transport))
    return [
      {
        iface: name,
        code: 'TRANSPORT_UNKNOWN',
        reason: `open-iscsi has no transport ${transport}`,
        hint: deleteIfaceCommand(name),
      },
    ];
  return [
    ...checkMac(entry, transport, hardware),
    ...checkAddress(entry, transport),
    ...checkNetDevice(entry, hardware),
  ];
}

function checkMac(
  { name, hwaddress }: IfaceEntry,
  transport: Transport,
  { hosts, netDevices }: Hardware,
): readonly IfaceFinding[] {
  if (hwaddress === undefined) return [];
  const owners =
    TRANSPORT_FACTS[transport].unbound === 'none'
      ? netDevices.flatMap((device) => (device.hwaddress === hwaddress ? [transport] : []))
      : hosts.flatMap((host) => (host.hwaddress === hwaddress ? [host.transport] : []));
  if (owners.length === 0)
    return [
      {
        iface: name,
        code: 'MAC_NOT_THERE',
        reason: `nothing in this host that ${transport} uses has the MAC address ${hwaddress}`,
        hint: deleteIfaceCommand(name),
      },
    ];
  return owners.includes(transport)
    ? []
    : [
        {
          iface: name,
          code: 'TRANSPORT_DIFFERS',
          reason: `the HBA with the MAC address ${hwaddress} is ${owners.join(', ')}, not ${transport}`,
          hint: deleteIfaceCommand(name),
        },
      ];
}

function checkAddress({ name, ipaddress }: IfaceEntry, transport: Transport): readonly IfaceFinding[] {
  const missing = TRANSPORT_FACTS[transport].ipaddress === 'required' && ipaddress === undefined;
  return missing
    ? [
        {
          iface: name,
          code: 'IPADDRESS_MISSING',
          reason: `${transport} needs an ipaddress of its own`,
          hint: `iscsiadm -m iface ${shellWords('-I', name)} -o update -n iface.ipaddress -v ADDRESS`,
        },
      ]
    : [];
}

function checkNetDevice({ name, netIfacename }: IfaceEntry, { netDevices, hosts }: Hardware): readonly IfaceFinding[] {
  const known =
    netIfacename === undefined ||
    netDevices.some((device) => device.name === netIfacename) ||
    hosts.some(({ netdev }) => netdev === netIfacename);
  return known
    ? []
    : [
        {
          iface: name,
          code: 'NET_DEVICE_NOT_THERE',
          reason: `there is no network device ${netIfacename}`,
          hint: deleteIfaceCommand(name),
        },
      ];
}
