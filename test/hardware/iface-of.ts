import type { Iface } from '../../src/iface/iface.js';
import { parseIface } from '../../src/iface/parse-iface.js';

/** An iface as its record file would give it. */
export function ifaceOf(values: Readonly<Record<string, string | undefined>>, name = 'card0'): Iface {
  return parseIface(
    name,
    Object.entries(values)
      .flatMap(([key, value]) => (value === undefined ? [] : [`iface.${key} = ${value}\n`]))
      .join(''),
  );
}
