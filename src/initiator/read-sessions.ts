import { canonicalAddress } from '../base/ip-address.js';
import { parseTargetName } from '../connection/target-name.js';
import type { FileSystem } from '../host/file-system.js';
import { parseIfaceName } from '../iface/iface-name.js';
import { isTransport, type Transport } from '../iface/transport.js';
import type { Session, SessionId } from './session.js';

const SESSIONS = '/sys/class/iscsi_session';

/**
 * Every session of this host, from sysfs: `iscsiadm -m session` does not print the iface (usr/session_info.c) and, from `-P1` on,
 * waits for iscsid for ever. A session that goes while we look is left out.
 */
export async function readSessions(files: FileSystem): Promise<readonly Session[]> {
  const names = await files.list(SESSIONS);
  const sessions = await Promise.all(names.map((name) => readSession(files, name)));
  return sessions.filter((session) => session !== undefined);
}

async function readSession(files: FileSystem, name: string): Promise<Session | undefined> {
  const id = Number(/^session(\d+)$/.exec(name)?.[1] ?? Number.NaN);
  const devicePath = await files.realPath(`${SESSIONS}/${name}/device`);
  const host = Number(/\/host(\d+)\//.exec(devicePath ?? '')?.[1] ?? Number.NaN);
  if (devicePath === undefined || Number.isNaN(id) || Number.isNaN(host)) return undefined;
  const attribute = (key: string): Promise<string | undefined> => files.readText(`${SESSIONS}/${name}/${key}`);
  const [target, iface, state, transport, portal] = await Promise.all([
    attribute('targetname'),
    attribute('ifacename'),
    attribute('state'),
    readTransport(files, host),
    readPortal(files, id),
  ]);
  if (target === undefined || iface === undefined || portal === undefined || transport === undefined) return undefined;
  try {
    return { id: id as SessionId, target: parseTargetName(target), portal, iface: parseIfaceName(iface), transport, host, state: state ?? 'FREE', devicePath };
  } catch {
    return undefined; // a name that we would never log in with: not ours
  }
}

/** Redirects change `address`; `persistent_address` stays what was asked for. Some HBA drivers have only the former. */
async function readPortal(files: FileSystem, session: number): Promise<Session['portal'] | undefined> {
  const connection = `/sys/class/iscsi_connection/connection${session}:0`;
  const first = async (...keys: readonly string[]): Promise<string | undefined> => {
    for (const key of keys) {
      const value = await files.readText(`${connection}/${key}`);
      if (value !== undefined && value !== '' && value !== '(null)' && value !== '<NULL>') return value;
    }
    return undefined;
  };
  const address = await first('persistent_address', 'address');
  const port = Number((await first('persistent_port', 'port')) ?? Number.NaN);
  return address === undefined || Number.isNaN(port) ? undefined : { address: canonicalAddress(address), port };
}

/** The SCSI host's driver names the transport: `iscsi_tcp`, `iscsi_iser`, `cxgb4i`, `qedi` (usr/iscsi_sysfs.c, iscsi_sysfs_get_transport_by_hba). */
async function readTransport(files: FileSystem, host: number): Promise<Transport | undefined> {
  const driver = await files.readText(`/sys/class/scsi_host/host${host}/proc_name`);
  const name = driver?.replace(/^iscsi_/, '');
  return name !== undefined && isTransport(name) ? name : undefined;
}
