import { endpointAddress, isIP } from '../base/ip-address.js';
import { isPortalName } from '../connection/portal-name.js';
import type { Portal } from '../connection/portal.js';
import { recordedPortal } from '../connection/recorded-portal.js';
import { parseTargetName } from '../connection/target-name.js';
import type { FileSystem } from '../host/file-system.js';
import { parseIfaceName } from '../iface/iface-name.js';
import { isTransport, type Transport } from '../hardware/transport.js';
import type { ForeignSession, Session, SessionId } from './session.js';

const SESSIONS = '/sys/class/iscsi_session';

/** Every session of this host, each in one list or the other. */
export interface AllSessions {
  readonly sessions: readonly Session[];
  /** Those that this library cannot place: it never uses nor ends one, and minds that no command of its own does. */
  readonly foreign: readonly ForeignSession[];
}

/** The sessions that are understood. */
export async function readSessions(files: FileSystem): Promise<readonly Session[]> {
  return (await readAllSessions(files)).sessions;
}

/**
 * Every session of this host, from sysfs: `iscsiadm -m session` does not print the iface (usr/session_info.c) and, from
 * `-P1` on, waits for iscsid for ever. A session that goes while we look is left out; one that is odd costs no other.
 */
export async function readAllSessions(files: FileSystem): Promise<AllSessions> {
  const names = await files.list(SESSIONS);
  const found = (await Promise.all(names.map((name) => readSession(files, name)))).filter(
    (session) => session !== undefined,
  );
  return {
    sessions: found.flatMap((one) => ('reason' in one ? [] : [one])),
    foreign: found.flatMap((one) => ('reason' in one ? [one] : [])),
  };
}

async function readSession(files: FileSystem, name: string): Promise<Session | ForeignSession | undefined> {
  const id = Number(/^session(\d+)$/.exec(name)?.[1] ?? Number.NaN);
  const devicePath = await files.realPath(`${SESSIONS}/${name}/device`);
  const host = Number(/\/host(\d+)\//.exec(devicePath ?? '')?.[1] ?? Number.NaN);
  if (devicePath === undefined || Number.isNaN(id) || Number.isNaN(host)) return undefined;
  const attribute = (key: string): Promise<string | undefined> => files.readText(`${SESSIONS}/${name}/${key}`);
  const [target, iface, state, driver, place] = await Promise.all([
    attribute('targetname'),
    attribute('ifacename'),
    attribute('state'),
    files.readText(`/sys/class/scsi_host/host${host}/proc_name`),
    readPlace(files, id),
  ]);
  if (target === undefined || iface === undefined || driver === undefined) return undefined;
  try {
    if (place === undefined) throw new SyntaxError('the kernel shows no address and port of it');
    return {
      id: id as SessionId,
      target: parseTargetName(target),
      ...portalOf(place),
      iface: parseIfaceName(iface),
      transport: transportOf(driver),
      host,
      state: state ?? 'FREE',
      devicePath,
    };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { id: id as SessionId, target, iface, reason: error.message };
  }
}

/** What the kernel says of where a session's connection goes. */
interface SessionPlace {
  /** What was asked for. */
  readonly asked: string;
  readonly port: string;
  /** Where the connection is now; absent while there is none, and where the driver does not say. */
  readonly now: { readonly address: string; readonly port: string } | undefined;
}

/** Redirects change `address`; `persistent_address` stays what was asked for. Some HBA drivers have only the former. */
async function readPlace(files: FileSystem, session: number): Promise<SessionPlace | undefined> {
  const [asked, askedPort] = await readValues(files, session, 'persistent_address', 'persistent_port');
  const tellsAll = asked !== undefined && askedPort !== undefined && isIP(asked) !== 0;
  const [address, port] = tellsAll ? [] : await readValues(files, session, 'address', 'port');
  const now = address === undefined || port === undefined ? undefined : { address, port };
  const [text, number] = [asked ?? address, askedPort ?? port];
  return text === undefined || number === undefined ? undefined : { asked: text, port: number, now };
}

/**
 * A connection that is down has no address (Linux, drivers/scsi/iscsi_tcp.c, iscsi_sw_tcp_conn_get_param: ENOTCONN).
 */
async function readValues(
  files: FileSystem,
  session: number,
  ...keys: readonly string[]
): Promise<readonly (string | undefined)[]> {
  const values = await Promise.all(
    keys.map((key) => files.readText(`/sys/class/iscsi_connection/connection${session}:0/${key}`)),
  );
  return values.map((value) => (value === '' || value === '(null)' || value === '<NULL>' ? undefined : value));
}

/**
 * A session that was made by name is at the portal where its connection is: the kernel's own word, while what a name
 * stands for may have changed since.
 * While the connection is down the name is all that is known.
 */
function portalOf({ asked, port, now }: SessionPlace): Pick<Session, 'portal' | 'recordedAddress'> {
  const portal = recordedPortal(asked, port);
  if (!isPortalName(portal)) return { portal, ...(portal.address === asked ? {} : { recordedAddress: asked }) };
  const { hostName } = portal;
  const address = now === undefined ? undefined : endpointAddress(now.address);
  const place =
    now === undefined || address === undefined
      ? { address: hostName, port: portal.port }
      : { address, port: Number(now.port) };
  return { portal: { ...place, recordedAs: portal } satisfies Portal, recordedAddress: asked };
}

/**
 * The SCSI host's driver names the transport: `iscsi_tcp`, `iscsi_iser`, `cxgb4i`, `qedi` (usr/iscsi_sysfs.c,
 * iscsi_sysfs_get_transport_by_hba).
 */
function transportOf(driver: string): Transport {
  const name = driver.replace(/^iscsi_/, '');
  if (!isTransport(name)) throw new SyntaxError(`its driver ${driver} is none of open-iscsi's transports`);
  return name;
}
