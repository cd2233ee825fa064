import { canonicalAddress, isIP } from '../../base/ip-address.js';
import { quoted } from '../../base/quoted.js';
import { VolumeError } from '../../base/volume-error.js';
import { isStandardName } from '../../connection/target-name.js';
import type { NewIface } from '../../iface/name-iface.js';
import { isTransport, type Transport, TRANSPORTS } from '../../hardware/transport.js';

/** The options of `ifaces create`, as they were typed. */
export interface GivenIface {
  readonly transport: string;
  readonly hwaddress?: string;
  readonly ipaddress?: string;
  readonly netIfacename?: string;
  readonly initiatorname?: string;
  readonly vlan?: string;
}

/**
 * @throws {VolumeError} `USAGE` for what is no value of its option, and for options that open-iscsi would ignore beside
 * each other
 */
export function readNewIface(options: GivenIface): NewIface {
  const { transport, hwaddress, ipaddress, netIfacename, initiatorname, vlan } = options;
  if (!isTransport(transport))
    throw usage(`Cannot make an iface of transport ${quoted(transport)}: expected one of ${TRANSPORTS.join(', ')}`);
  checkBinding(transport, options);
  return {
    transport,
    hwaddress: given(hwaddress, readMac),
    ipaddress: given(ipaddress, readAddress),
    netIfacename: given(netIfacename, readDevice),
    initiatorname: given(initiatorname, readInitiatorName),
    vlan: given(vlan, readVlan),
  };
}

function checkBinding(transport: Transport, { hwaddress, netIfacename, vlan }: GivenIface): void {
  if (hwaddress === undefined && netIfacename === undefined)
    throw usage('Cannot make an iface that is bound to nothing: expected --hwaddress, or --net-ifacename');
  if (transport !== 'tcp') return;
  if (hwaddress !== undefined && netIfacename !== undefined) {
    // usr/io.c, bind_conn_to_iface
    throw usage(
      'Cannot bind a tcp iface by --hwaddress and by --net-ifacename: open-iscsi ' +
        'would ignore the device. Give one of them',
    );
  }
  if (vlan !== undefined)
    throw usage("Cannot make a tcp iface with --vlan, which only HBAs know: give the VLAN's device as --net-ifacename");
}

function given<Value>(text: string | undefined, read: (text: string) => Value): Value | undefined {
  return text === undefined ? undefined : read(text);
}

function readMac(text: string): string {
  if (!/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i.test(text))
    throw usage(`Cannot read ${quoted(text)} as a MAC address: expected the form 00:07:43:12:34:56`);
  return text.toLowerCase();
}

function readAddress(text: string): string {
  if (isIP(text) === 0) throw usage(`Cannot read ${quoted(text)} as an IP address`);
  return canonicalAddress(text);
}

/** net/core/dev.c, dev_valid_name. */
function readDevice(text: string): string {
  if (!/^[^\s/:]{1,15}$/.test(text) || text === '.' || text === '..')
    throw usage(
      `Cannot read ${quoted(text)} as the name of a network device: expected 1 to 15 characters without blanks, / or :`,
    );
  return text;
}

function readInitiatorName(text: string): string {
  if (!isStandardName(text))
    throw usage(`Cannot read ${quoted(text)} as an initiator name: expected the form iqn.2010-10.org.example:host`);
  return text;
}

/** IEEE 802.1Q: 0 and 4095 are no VLAN's. */
function readVlan(text: string): number {
  const vlan = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0;
  if (vlan < 1 || vlan > 4094) throw usage(`Cannot read ${quoted(text)} as a VLAN: expected a number from 1 to 4094`);
  return vlan;
}

function usage(message: string): VolumeError {
  return new VolumeError('USAGE', message);
}
