import { DEFAULT_IFACE, ISER_IFACE, type IfaceName } from './iface-name.js';
import type { RecordValues } from '../database/record-text.js';
import type { Transport } from '../hardware/transport.js';

/** One iface record of open-iscsi: which transport, over which hardware, from which address. */
export interface Iface {
  readonly name: IfaceName;
  readonly transport: Transport;
  /** The MAC address in lower case. */
  readonly hwaddress: string | undefined;
  readonly ipaddress: string | undefined;
  readonly netIfacename: string | undefined;
  /** Every `iface.` line of the record, as a node record copies them. */
  readonly values: RecordValues;
  readonly builtIn: boolean;
}

/** `default` and `iser` are in open-iscsi's code and never in a file (usr/iface.c, default_ifaces). */
export const BUILT_IN_IFACES: readonly Iface[] = [builtIn(DEFAULT_IFACE, 'tcp'), builtIn(ISER_IFACE, 'iser')];

function builtIn(name: IfaceName, transport: Transport): Iface {
  return {
    name,
    transport,
    hwaddress: undefined,
    ipaddress: undefined,
    netIfacename: undefined,
    builtIn: true,
    values: new Map<string, string>([
      ['iface.iscsi_ifacename', name],
      ['iface.transport_name', transport],
    ]),
  };
}
