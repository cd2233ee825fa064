import type { BlockDevice, DevicePath, MapId } from './block-device.js';
import type { Wwid } from './wwid.js';

const BY_ID = '/dev/disk/by-id';
/**
 * What udev leaves in a name as it is, less the `/` (systemd, src/shared/device-nodes.c,
 * allow_listed_char_for_devnode); of any other WWID there is no name that holds it whole.
 */
const IN_A_NAME = /^[A-Za-z0-9#+\-.:=@_]+$/;
/** An NAA designator in a WWID: see wwid.ts. */
const NAA = /^3([0-9a-f]{16}|[0-9a-f]{32})$/;

/**
 * The names below /dev/disk/by-id that udev makes of a device's WWID alone, and so are the same after a reboot: of a
 * map `dm-uuid-mpath-3600…` (multipath-tools and lvm2, 60-persistent-storage-dm.rules), of a disk `scsi-3600…` and, for
 * an NAA designator, `wwn-0x600…` (systemd, 60-persistent-storage.rules). Whether one is there, and leads to the
 * device, is for the caller to look.
 * @returns the one to be preferred first; none for a device that reports no WWID
 */
export function stableNamesOf({ kind, wwid, id }: NamedDevice): readonly DevicePath[] {
  const name = kind === 'multipath' ? (id ?? wwid) : wwid;
  if (name === undefined || !IN_A_NAME.test(name)) return [];
  return (kind === 'multipath' ? [`dm-uuid-mpath-${name}`] : diskNames(name as Wwid)).map(
    (one) => `${BY_ID}/${one}` as DevicePath,
  );
}

/** A map is named after its id; one of which only the WWID is known, after that, which is the id by default. */
interface NamedDevice extends Pick<BlockDevice, 'kind' | 'wwid'> {
  readonly id?: MapId;
}

function diskNames(wwid: Wwid): readonly string[] {
  const [, naa] = NAA.exec(wwid) ?? [];
  return [`scsi-${wwid}`, ...(naa === undefined ? [] : [`wwn-0x${naa}`])];
}
