import type { Lun } from '../connection/lun.js';
import type { FileSystem } from '../host/file-system.js';
import type { KernelWrites } from '../host/kernel-writes.js';
import type { Session } from '../initiator/session.js';

/**
 * Asks the kernel to look at exactly one host, channel, target and LUN. A wildcard would bring other units of the
 * target in, and over an HBA, whose host carries many sessions, other targets' units as well.
 */
export async function scanUnit(
  session: Session,
  lun: Lun,
  { files, writes }: { readonly files: FileSystem; readonly writes: KernelWrites },
  signal: AbortSignal,
): Promise<void> {
  const { channel, target } = await placeOf(session, files);
  await writes.write('scan', `/sys/class/scsi_host/host${session.host}`, `${channel} ${target} ${lun}`, signal);
}

/**
 * The session's SCSI target: from its folder once a unit was seen, before that from `target_id`
 * (scsi_transport_iscsi.c, iscsi_session).
 */
async function placeOf(
  session: Session,
  files: FileSystem,
): Promise<{ readonly channel: string; readonly target: string }> {
  const folder = (await files.list(session.devicePath)).find((name) => /^target\d+:\d+:\d+$/.test(name));
  const [, channel, target] = /^target\d+:(\d+):(\d+)$/.exec(folder ?? '') ?? [];
  if (channel !== undefined && target !== undefined) return { channel, target };
  const id = await files.readText(`/sys/class/iscsi_session/session${session.id}/target_id`);
  return { channel: '0', target: id !== undefined && /^\d+$/.test(id) ? id : '0' };
}
