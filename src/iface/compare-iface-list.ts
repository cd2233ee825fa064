import { valueOf } from '../database/record-text.js';
import { BUILT_IN_IFACES, type Iface } from './iface.js';
import type { IfaceEntry } from './parse-iface-list.js';
import type { IfaceInventory } from './read-ifaces.js';

/** Where `iscsiadm -m iface` and the record files tell different stories. The codes are stable. */
export interface IfaceDifference {
  readonly iface: string;
  readonly code: 'NO_RECORD' | 'NOT_LISTED' | 'LISTED_OTHERWISE';
  /** One sentence for people. */
  readonly reason: string;
}

const FIELDS = ['transport', 'hwaddress', 'ipaddress', 'netIfacename', 'initiatorname'] as const;

/**
 * Every difference between what open-iscsi lists and what this library reads; none where both look at the same records
 * and read them alike.
 */
export function compareIfaceList(
  listed: readonly IfaceEntry[],
  { ifaces, broken }: IfaceInventory,
): readonly IfaceDifference[] {
  const read = ifaces.map(ifaceEntry);
  const known = new Set([...read, ...broken].map(({ name }) => name));
  return [
    ...listed
      .filter(({ name }) => !known.has(name) && name !== 'iface.example')
      .map(({ name }): IfaceDifference => ({
        iface: name,
        code: 'NO_RECORD',
        reason: 'open-iscsi lists it, and no record of it was found: its database may be elsewhere',
      })),
    ...read.flatMap((entry) =>
      compareEntry(
        listed.find(({ name }) => name === entry.name),
        entry,
      ),
    ),
  ];
}

function compareEntry(listed: IfaceEntry | undefined, read: IfaceEntry): readonly IfaceDifference[] {
  if (listed === undefined) {
    const what = BUILT_IN_IFACES.some(({ name }) => name === read.name)
      ? 'it is built into open-iscsi'
      : 'its record is there';
    return [{ iface: read.name, code: 'NOT_LISTED', reason: `${what}, and open-iscsi does not list it` }];
  }
  const differing = FIELDS.filter((field) => listed[field] !== read[field]);
  if (differing.length === 0) return [];
  const told = differing
    .map((field) => `${field} ${listed[field] ?? 'none'} where the record has ${read[field] ?? 'none'}`)
    .join(', ');
  return [{ iface: read.name, code: 'LISTED_OTHERWISE', reason: `open-iscsi lists ${told}` }];
}

/** An iface as a line of `iscsiadm -m iface` shows it. */
export function ifaceEntry({ name, transport, hwaddress, ipaddress, netIfacename, values }: Iface): IfaceEntry {
  return { name, transport, hwaddress, ipaddress, netIfacename, initiatorname: valueOf(values, 'iface.initiatorname') };
}
