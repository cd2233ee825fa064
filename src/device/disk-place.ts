import type { TargetName } from '../connection/target-name.js';
import type { FileSystem } from '../host/file-system.js';
import type { DevicePath } from './block-device.js';
import { lunOf, parseScsiAddress } from './scsi-address.js';
import type { TargetUnit } from './units-behind.js';

/** Where a block device comes from, by the kernel's word. */
export type DiskPlace =
  | { readonly kind: 'iscsi'; readonly unit: TargetUnit }
  /** No iSCSI disk of open-iscsi's: Fibre Channel, SAS, virtio, NVMe, another map. */
  | { readonly kind: 'other' }
  /** The kernel does not have it any more, or is about to let it go. */
  | { readonly kind: 'gone' };

/**
 * Below the folder of its session stands each disk of an iSCSI session, software's or a card's (Linux,
 * drivers/scsi/scsi_transport_iscsi.c).
 */
const BELOW_SESSION = /\/session(\d+)\/target\d+:\d+:\d+\/(\d+:\d+:\d+:\d+)\/block\/[^/]+$/;

/** @param name the kernel's, such as `sda` */
export async function placeOf(name: string, files: FileSystem): Promise<DiskPlace> {
  const folder = await files.realPath(`/sys/class/block/${name}`);
  if (folder === undefined) return { kind: 'gone' };
  const [, session, place] = BELOW_SESSION.exec(folder) ?? [];
  const address = parseScsiAddress(place ?? '');
  if (session === undefined || address === undefined) return { kind: 'other' };
  const target = await files.readText(`/sys/class/iscsi_session/session${session}/targetname`);
  return target === undefined
    ? { kind: 'gone' }
    : { kind: 'iscsi', unit: { target: target as TargetName, lun: lunOf(address) } };
}

/** A device that is none of the volume's. */
export interface Stranger {
  readonly device: DevicePath;
  /** Where it comes from: `LUN 1 of iqn…`, `no iSCSI disk`. */
  readonly origin: string;
}

/** Those of the devices that are none of these units, over whatever portal or iface. One that is gone is nobody's. */
export async function strangersAmong(
  names: readonly string[],
  units: readonly TargetUnit[],
  files: FileSystem,
): Promise<readonly Stranger[]> {
  const places = await Promise.all(names.map(async (name) => await placeOf(name, files)));
  return names.flatMap((name, index): readonly Stranger[] => {
    const place = places[index];
    if (place === undefined || place.kind === 'gone') return [];
    const device = `/dev/${name}` as DevicePath;
    if (place.kind === 'other') return [{ device, origin: 'no iSCSI disk' }];
    return isAmong(units, place.unit) ? [] : [{ device, origin: `LUN ${place.unit.lun} of ${place.unit.target}` }];
  });
}

/** iSCSI names differ in no letter's case (RFC 3722, 4). */
export function isAmong(units: readonly TargetUnit[], { target, lun }: TargetUnit): boolean {
  return units.some((unit) => unit.lun === lun && unit.target.toLowerCase() === target.toLowerCase());
}
