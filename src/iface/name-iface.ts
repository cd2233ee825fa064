import { hashOf } from '../base/hash-of.js';
import type { Iface } from './iface.js';
import { type IfaceName, parseIfaceName } from './iface-name.js';
import type { Transport } from '../hardware/transport.js';

/** What decides over an iface record of our own. */
export interface NewIface {
  readonly transport: Transport;
  /** Lower case, colons. */
  readonly hwaddress: string | undefined;
  readonly ipaddress: string | undefined;
  readonly netIfacename: string | undefined;
  readonly initiatorname?: string | undefined;
  readonly vlan?: number | undefined;
}

/** Marks the name as ours, so that it never is one that open-iscsi or an administrator would give. */
const PREFIX = 'libvirt-volume';
/** open-iscsi, usr/config.h, ISCSI_MAX_IFACE_LEN: 65 with the terminator. */
const LONGEST = 64;

/** The record: its name, and the keys as open-iscsi writes them (usr/idbm.c, idbm_recinfo_iface). */
export function ifaceRecord(parts: NewIface): Iface {
  const { transport, hwaddress, ipaddress, netIfacename, initiatorname, vlan } = parts;
  const name = nameIface(parts);
  const values = {
    'iface.iscsi_ifacename': name,
    'iface.net_ifacename': netIfacename,
    'iface.ipaddress': ipaddress,
    'iface.hwaddress': hwaddress,
    'iface.transport_name': transport,
    'iface.initiatorname': initiatorname,
    'iface.vlan_id': vlan === undefined ? undefined : String(vlan),
    'iface.vlan_state': vlan === undefined ? undefined : 'enable',
  };
  return {
    name,
    transport,
    hwaddress,
    ipaddress,
    netIfacename,
    builtIn: false,
    values: new Map(
      Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])),
    ),
  };
}

/**
 * The name of a record of ours: the same for the same values on every host and at every time, another for any other
 * values. `libvirt-volume.cxgb4i.00074304aabb.10.0.0.5`; where that would be too long, a hash stands for the rest.
 */
export function nameIface({ transport, hwaddress, ipaddress, netIfacename, initiatorname, vlan }: NewIface): IfaceName {
  const place = hwaddress?.replaceAll(':', '');
  const rest = joined([
    netIfacename === undefined ? undefined : escapedDevice(netIfacename),
    ipaddress === undefined ? undefined : escaped(ipaddress),
    vlan === undefined ? undefined : `vlan:${vlan}`,
    initiatorname === undefined ? undefined : `iqn:${hashOf(initiatorname)}`,
  ]);
  const names = [
    [PREFIX, transport, place, rest],
    [PREFIX, transport, place, `h:${hashOf(rest)}`],
    [PREFIX, transport, `h:${hashOf(joined([place, rest]))}`],
  ].map(joined);
  return parseIfaceName(names.find((name) => name.length <= LONGEST) ?? '');
}

function joined(parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join('.');
}

/**
 * A device's name may hold anything but a slash, a colon and a blank (net/core/dev.c, dev_valid_name): it must pass for
 * no MAC and no address.
 */
function escapedDevice(name: string): string {
  const text = escaped(name);
  return /^\d|^[0-9a-f]{12}$/.test(text) ? hexOf(text) + text.slice(1) : text;
}

function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9.:-]|\.(?=\.|$)|^\./g, hexOf);
}

function hexOf(text: string): string {
  return `_${(text.codePointAt(0) ?? 0).toString(16)}`;
}
