import { parsePortal } from '../../src/connection/portal.js';
import { parseTargetName } from '../../src/connection/target-name.js';
import { DEFAULT_IFACE } from '../../src/iface/iface-name.js';
import type { Session, SessionId } from '../../src/initiator/session.js';
import type { FakeTree } from '../fakes/fake-tree.js';

/** A session on a SCSI host; an HBA's host carries many. */
export function madeSession({ id, host }: { readonly id: number; readonly host: number }): Session {
  return {
    id: id as SessionId,
    host,
    target: parseTargetName(`iqn.2026-11.org.example:target-${id}`),
    portal: parsePortal('192.0.2.10:3260'),
    iface: DEFAULT_IFACE,
    transport: 'tcp',
    state: 'LOGGED_IN',
    devicePath: `/sys/devices/platform/host${host}/session${id}`,
  };
}

export interface ShownUnit {
  /** H:C:T:L */
  readonly address: string;
  readonly name: string;
  /** Sectors of 512 bytes. */
  readonly size?: string;
  readonly wwid?: string;
  /** Default: true. */
  readonly node?: boolean;
}

/** Shows a unit below its session, as the kernel does. @returns its folder */
export function showUnit(
  tree: FakeTree,
  { devicePath }: Session,
  { address, name, size = '2048', wwid = 'naa.6001405000000001', node = true }: ShownUnit,
): string {
  const folder = `${devicePath}/target${address.slice(0, address.lastIndexOf(':'))}/${address}`;
  for (const [file, text] of Object.entries({
    wwid,
    state: 'running',
    delete: '',
    rescan: '',
    [`block/${name}/size`]: size,
    [`block/${name}/dev`]: '8:0',
  }))
    tree.write(`${folder}/${file}`, `${text}\n`);
  if (node) tree.blockDevice(`/dev/${name}`);
  return folder;
}
