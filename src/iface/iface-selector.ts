import type { IfaceName } from './iface-name.js';
import type { Transport } from '../hardware/transport.js';

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
