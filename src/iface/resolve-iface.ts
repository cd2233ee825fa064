import type { Hardware } from '../hardware/hardware.js';
import { ifaceOfAddress } from './iface-of-address.js';
import type { Iface } from './iface.js';
import { ifaceRecord } from './name-iface.js';
import type { IfaceInventory } from './read-ifaces.js';
import { type IfaceSelector, matchingIfaces, selectIface } from './select-iface.js';

/** An iface that the configuration means. */
export interface ResolvedIface {
  readonly iface: Iface;
  /** It has no record yet: one is made of its own name before the first login. */
  readonly isNew: boolean;
  /** What people should know of the choice, in one sentence. */
  readonly note?: string;
}

/**
 * The iface that the configuration means: a record that is there, or one that is to be made where transport and MAC, or
 * the source address, say all of it. Writes nothing.
 * @param hardware looked at only where an address must be traced to a card
 * @throws {VolumeError} `IFACE_NOT_FOUND`, `IFACE_UNUSABLE`
 */
export async function resolveIface(
  selector: IfaceSelector,
  inventory: IfaceInventory,
  hardware: () => Promise<Hardware>,
): Promise<ResolvedIface> {
  switch (selector.kind) {
    case 'name':
      return { iface: selectIface(selector, inventory), isNew: false };
    case 'hardware':
      return matchingIfaces(selector, inventory).length === 0
        ? { iface: ifaceRecord(selector), isNew: true }
        : { iface: selectIface(selector, inventory), isNew: false };
    case 'address': {
      const choice = ifaceOfAddress(selector.ipaddress, await hardware(), inventory.ifaces);
      const note = choice.note === undefined ? {} : { note: choice.note };
      if (choice.kind === 'record') return { iface: choice.iface, isNew: false, ...note };
      const made = ifaceRecord(choice);
      const present = inventory.ifaces.find(({ name }) => name === made.name);
      return { iface: present ?? made, isNew: present === undefined, ...note };
    }
    default:
      return selector satisfies never;
  }
}
