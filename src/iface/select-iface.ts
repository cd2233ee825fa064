import { VolumeError } from '../base/volume-error.js';
import type { Transport } from '../hardware/transport.js';
import type { IfaceName } from './iface-name.js';
import type { Iface } from './iface.js';
import type { IfaceInventory } from './read-ifaces.js';

/**
 * The iface that the configuration means: by name, or by transport, MAC and address; never by a guess.
 * @throws {VolumeError} `IFACE_NOT_FOUND` that names what there is; `IFACE_UNUSABLE` when its record is broken or
 * several ifaces fit
 */
export function selectIface(selector: IfaceSelector, { ifaces, broken }: IfaceInventory): Iface {
  const damaged = selector.kind === 'name' ? broken.find(({ name }) => name === selector.name) : undefined;
  if (damaged !== undefined)
    throw new VolumeError('IFACE_UNUSABLE', `Cannot use the iface ${damaged.name}`, {
      cause: new Error(damaged.reason),
    });
  const [found, ...others] = matchingIfaces(selector, { ifaces, broken });
  if (found === undefined) {
    throw new VolumeError(
      'IFACE_NOT_FOUND',
      `Cannot find an iface for iscsi_iface = ${describeSelector(selector)}: this host has ` +
        ifaces.map(({ name }) => name).join(', '),
      {
        hint: 'iscsiadm -m iface makes the records of all hardware that is present',
      },
    );
  }
  if (others.length > 0) {
    const names = [found, ...others].map(({ name }) => name).join(', ');
    throw new VolumeError(
      'IFACE_UNUSABLE',
      `Cannot choose an iface for iscsi_iface = ${describeSelector(selector)}: ${names} all fit`,
      { hint: 'name one of them in iscsi_iface' },
    );
  }
  return found;
}

/** Every iface that fits, in the order of the inventory. */
export function matchingIfaces(selector: IfaceSelector, { ifaces }: IfaceInventory): readonly Iface[] {
  return ifaces.filter((iface) => fits(selector, iface));
}

function fits(selector: IfaceSelector, iface: Iface): boolean {
  switch (selector.kind) {
    case 'name':
      return iface.name === selector.name;
    case 'address':
      return iface.ipaddress === selector.ipaddress;
    case 'hardware':
      return (
        iface.transport === selector.transport &&
        iface.hwaddress === selector.hwaddress &&
        (selector.ipaddress === undefined || iface.ipaddress === selector.ipaddress) &&
        (selector.netIfacename === undefined || iface.netIfacename === selector.netIfacename)
      );
    default:
      return selector satisfies never;
  }
}

/** As the configuration has it. */
export function describeSelector(selector: IfaceSelector): string {
  switch (selector.kind) {
    case 'name':
      return `"${selector.name}"`;
    case 'address':
      return `{ ipaddress = "${selector.ipaddress}" }`;
    case 'hardware': {
      const { transport, hwaddress, ipaddress, netIfacename } = selector;
      const pairs = Object.entries({ transport, hwaddress, ipaddress, net_ifacename: netIfacename });
      return `{ ${pairs.flatMap(([key, value]) => (value === undefined ? [] : [`${key} = "${value}"`])).join(', ')} }`;
    }
    default:
      return selector satisfies never;
  }
}

/** How the config file says which iface is meant. */
export type IfaceSelector =
  | { readonly kind: 'name'; readonly name: IfaceName }
  | {
      readonly kind: 'hardware';
      readonly transport: Transport;
      /** Lower case, colons. */
      readonly hwaddress: string;
      readonly ipaddress: string | undefined;
      readonly netIfacename: string | undefined;
    }
  | { readonly kind: 'address'; readonly ipaddress: string };
