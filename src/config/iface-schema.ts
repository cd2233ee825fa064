import * as z from 'zod';
import { isIP } from '../base/ip-address.js';
import { parseIfaceName } from '../iface/iface-name.js';
import { TRANSPORTS } from '../hardware/transport.js';

const IP_ADDRESS = 'expected an IP address';
const MAC = 'expected a MAC address such as 00:07:43:12:34:56';
/** linux/if.h, IFNAMSIZ: 16 bytes with the terminator. */
const INTERFACE = 'expected the name of a network interface: 1 to 15 characters without blanks or /';
const FORMS =
  'expected { transport, hwaddress } for an HBA or NIC, with ipaddress and net_ifacename where wanted, or { ' +
  'ipaddress } alone';

const ifaceName = z
  .string({ error: 'expected the name of an iface, such as default, iser or cxgb4i.00:07:43:12:34:56' })
  .superRefine((text, context) => {
    try {
      parseIfaceName(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      context.addIssue({ code: 'custom', message: 'expected 1 to 64 letters, digits or . _ : - and no ".."' });
    }
  });

const ifaceTable = z
  .strictObject({
    transport: z.enum(TRANSPORTS, { error: `expected one of ${TRANSPORTS.join(', ')}` }).optional(),
    hwaddress: z
      .string({ error: MAC })
      .regex(/^[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}$/, { error: MAC })
      .optional(),
    ipaddress: z
      .string({ error: IP_ADDRESS })
      .refine((text) => isIP(text) !== 0, { error: IP_ADDRESS })
      .optional(),
    net_ifacename: z
      .string({ error: INTERFACE })
      .regex(/^[^\s/]{1,15}$/, { error: INTERFACE })
      .optional(),
  })
  .refine(
    ({ transport, hwaddress, ipaddress, net_ifacename: net }) => {
      if (transport === undefined && hwaddress === undefined) return ipaddress !== undefined && net === undefined;
      return transport !== undefined && hwaddress !== undefined;
    },
    { error: FORMS },
  )
  .meta({
    anyOf: [
      { required: ['transport', 'hwaddress'] },
      { required: ['ipaddress'], properties: { transport: false, hwaddress: false, net_ifacename: false } },
    ],
  });

const oneIface = z.union([ifaceName, ifaceTable], { error: 'expected a name or a table' });

/** What `iscsi_iface` may be: a name, hardware, an address, or a list of those. */
export const ifaceChoice = z.union(
  [
    ifaceName,
    ifaceTable,
    z
      .array(oneIface)
      .min(1, { error: 'expected at least one iface' })
      .refine((list) => new Set(list.map((item) => JSON.stringify(item))).size === list.length, {
        error: 'expected each iface once',
      }),
  ],
  { error: 'expected a name, a table, or a list of those' },
);

export type IfaceTable = z.output<typeof ifaceTable>;
export const IFACE_KEYS: readonly string[] = Object.keys(ifaceTable.shape);
