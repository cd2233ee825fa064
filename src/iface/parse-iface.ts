import { quoted } from '../base/quoted.js';
import { canonicalAddress } from '../base/ip-address.js';
import type { Iface } from './iface.js';
import { parseIfaceName } from './iface-name.js';
import { type RecordValues, parseRecord, valueOf } from '../database/record-text.js';
import { isTransport, TRANSPORTS } from '../hardware/transport.js';

/**
 * Reads an iface record file.
 * @param fileName the name of the file, which is the iface's name (usr/iface.c, iface_conf_read)
 * @throws {SyntaxError} when open-iscsi takes none of its lines, or the transport is none of open-iscsi's
 */
export function parseIface(fileName: string, text: string): Iface {
  return ifaceOf(fileName, parseRecord(text));
}

/** The iface of a record that is read. @throws {SyntaxError} as `parseIface` */
export function ifaceOf(fileName: string, record: RecordValues): Iface {
  if (record.size === 0)
    throw new SyntaxError(`Cannot use the iface ${fileName}: open-iscsi takes no line of its record`);
  const transport = valueOf(record, 'iface.transport_name') ?? 'tcp';
  if (!isTransport(transport)) {
    throw new SyntaxError(
      `Cannot use the iface ${fileName}: its transport is ${quoted(transport)}, expected one of ` +
        TRANSPORTS.join(', '),
    );
  }
  const ipaddress = valueOf(record, 'iface.ipaddress');
  return {
    name: parseIfaceName(fileName),
    transport,
    hwaddress: valueOf(record, 'iface.hwaddress')?.toLowerCase(),
    ipaddress: ipaddress === undefined ? undefined : canonicalAddress(ipaddress),
    netIfacename: valueOf(record, 'iface.net_ifacename'),
    values: new Map([...record, ['iface.iscsi_ifacename', fileName], ['iface.transport_name', transport]]),
    builtIn: false,
  };
}
