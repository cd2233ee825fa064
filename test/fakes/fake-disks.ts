import { VolumeError } from '../../src/base/volume-error.js';
import type { GuestDisk } from '../../src/guest/guest-disk.js';
import { parseGuestDisk } from '../../src/guest/parse-guest-disks.js';

const INTERNAL_ERROR = 1;
const OPERATION_UNSUPPORTED = 84;

/** As libvirt 9.0.0 was seen to, in its words and QEMU's. */
export function refuseHotPlug({ bus = '' }: GuestDisk): void {
  if (isFixed(bus))
    throw refused(
      "internal error: unable to execute QEMU command 'device_add': Bus 'ide.3' does not support hotplugging",
      INTERNAL_ERROR,
    );
}

export function refuseHotUnplug({ device, bus = '' }: GuestDisk): void {
  if (isFixed(bus))
    throw refused(
      device === 'cdrom'
        ? "Operation not supported: disk device type 'cdrom' cannot be detached"
        : 'Operation not supported: This type of disk cannot be hot unplugged',
      OPERATION_UNSUPPORTED,
    );
}

/**
 * What libvirt makes of a cdrom for a running guest that has a drive of that name: the drive with another medium, its
 * own alias and no serial.
 */
export function mediumChanged(drive: GuestDisk, { device, targetDev, sourcePath = '' }: GuestDisk): string | undefined {
  if (device !== 'cdrom' || drive.device !== 'cdrom') return undefined;
  return (
    `<disk type='block' device='cdrom'><source dev='${sourcePath}'/><target dev='${targetDev}' ` +
    `bus='${drive.bus ?? ''}'/><alias name='${drive.alias ?? ''}'/></disk>`
  );
}

function isFixed(bus: string): boolean {
  return ['sata', 'ide', 'fdc'].includes(bus);
}

/** Where a block copy goes: to all of a device, or to the start of it. */
export interface CopyTarget {
  readonly targetPath: string;
  readonly sliceBytes: number | undefined;
}

/** Only source and driver of the description count: it need have no target. */
export function readCopyTarget(xml: string): CopyTarget {
  const [, targetPath] = /<source (?:dev|file)=["']([^"']+)["']/.exec(xml) ?? [];
  const [, size] = /<slice type=["']storage["'] offset=["']0["'] size=["'](\d+)["']/.exec(xml) ?? [];
  if (targetPath === undefined) throw refused('XML error: the device has no source', 8);
  return { targetPath, sliceBytes: size === undefined ? undefined : Number(size) };
}

export function moved(xml: string, { targetPath, sliceBytes }: CopyTarget): string {
  const slices =
    sliceBytes === undefined ? '' : `<slices><slice type='storage' offset='0' size='${sliceBytes}'/></slices>`;
  return xml.replace(/<source\b[^>]*?(?:\/>|>[^]*?<\/source>)/, `<source dev='${targetPath}'>${slices}</source>`);
}

export function readDisk(xml: string): GuestDisk {
  try {
    return parseGuestDisk(xml);
  } catch (cause) {
    throw new VolumeError('LIBVIRT_REFUSED', 'XML error: the device is no disk that this fake knows', {
      cause,
      details: { libvirtCode: 27 },
    });
  }
}

export function diskOn(disks: readonly string[], targetDev: string): GuestDisk | undefined {
  return disks.map(parseGuestDisk).find((disk) => disk.targetDev === targetDev);
}

export function without(disks: readonly string[], targetDev: string): readonly string[] {
  return disks.filter((xml) => parseGuestDisk(xml).targetDev !== targetDev);
}

/** libvirt gives every device of a running guest an alias. */
export function withAlias(xml: string): string {
  const { alias, bus, targetDev } = parseGuestDisk(xml);
  return alias === undefined
    ? xml.replace(/<\/disk>\s*$/, `<alias name='${bus ?? 'disk'}-${targetDev}'/></disk>`)
    : xml;
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

export function refused(message: string, libvirtCode: number): VolumeError {
  return new VolumeError('LIBVIRT_REFUSED', message, { details: { libvirtCode } });
}
