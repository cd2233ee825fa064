import type { VolumeFacts } from '../connection/iscsi-connection.js';
import { userAlias } from '../disk/disk-config.js';

/** A disk of a guest, as a domain's description shows it. */
export interface GuestDisk {
  /** The name in the guest: `vdb`. Unique within a domain. */
  readonly targetDev: string;
  readonly bus: string | undefined;
  /** `disk`, `lun`, `cdrom` or `floppy`. */
  readonly device: string;
  /** The host's device or file behind it; undefined for network disks and empty drives. */
  readonly sourcePath: string | undefined;
  readonly serial: string | undefined;
  /** How much of its device the disk is, from the start; undefined for all of it. */
  readonly sliceBytes: number | undefined;
  /** What events call the disk. Only a running guest's devices have one, or those that were given one (`ua-…`). */
  readonly alias: string | undefined;
  /** The other device that a running guest's disk is written to as well: a block copy. */
  readonly mirror: DiskMirror | undefined;
  /** The libvirt secret that opens the disk; undefined for one that is not encrypted. */
  readonly secretUuid: string | undefined;
  /** The attributes of `<driver>`: name, type, cache, io, discard and others. */
  readonly driver: Readonly<Record<string, string>>;
  /** The disk's own element, as libvirt printed it: fit to be handed back to detach it. */
  readonly xml: string;
}

/** A block copy of a disk, as the description shows it (libvirt, docs/formatdomain.rst, `mirror`). */
export interface DiskMirror {
  readonly sourcePath: string | undefined;
  /** `yes`: all is copied, and what the guest writes goes to both. `pivot` and `abort`: it is ending that way. */
  readonly state: 'copying' | 'yes' | 'pivot' | 'abort';
}

/** What tells one volume's disk from all others. */
export interface DiskMatch {
  /** The alias the disk was attached with: `ua-` and the volume's id. */
  readonly alias?: string;
  /**
   * The disk's alias in the running guest, where it took the place of another volume's: a device keeps its alias as
   * long as the guest runs.
   */
  readonly liveAlias?: string;
  readonly serial?: string;
  /** Every name that the guest's description may have for the volume's device. */
  readonly sourcePaths: readonly string[];
}

/**
 * The volume's disk among a guest's. The alias decides alone: it is unique within a domain and only the attacher gives
 * it. Without it, the serial and the source path must both be right: a serial alone may be another device's (clones and
 * copies keep it), and a path alone may have passed on to another volume (the kernel uses its names again).
 */
export function findGuestDisk(
  disks: readonly GuestDisk[],
  { alias, serial, sourcePaths }: DiskMatch,
): GuestDisk | undefined {
  const byAlias = alias === undefined ? undefined : disks.find((disk) => disk.alias === alias);
  if (byAlias !== undefined || serial === undefined) return byAlias;
  return disks.find(
    (disk) => disk.serial === serial && disk.sourcePath !== undefined && sourcePaths.includes(disk.sourcePath),
  );
}

/** The same in a running guest. */
export function findLiveDisk(disks: readonly GuestDisk[], match: DiskMatch): GuestDisk | undefined {
  return match.liveAlias === undefined
    ? findGuestDisk(disks, match)
    : disks.find(({ alias }) => alias === match.liveAlias);
}

/**
 * The same in a stored description: under its own name, or under that of the running guest where nobody has renamed it
 * there since it took another volume's place.
 */
export function findStoredDisk(disks: readonly GuestDisk[], match: DiskMatch): GuestDisk | undefined {
  const isLeft = ({ alias, sourcePath }: GuestDisk): boolean =>
    match.liveAlias !== undefined &&
    alias === match.liveAlias &&
    sourcePath !== undefined &&
    match.sourcePaths.includes(sourcePath);
  return findGuestDisk(disks, match) ?? disks.find(isLeft);
}

/** What tells the volume's disk from all others of a guest, as attach() gives it. */
export function diskMatch({ volumeId, serial }: VolumeFacts, sourcePaths: readonly string[]): DiskMatch {
  return {
    sourcePaths,
    ...(volumeId === undefined ? {} : { alias: `ua-${volumeId}` }),
    ...(serial === undefined ? {} : { serial }),
  };
}

/** The alias that attach() gives the volume's disk; `undefined` where the id makes none. */
export function aliasOf({ volumeId, serial }: VolumeFacts): string | undefined {
  const alias = userAlias(volumeId ?? serial);
  return alias === undefined ? undefined : `ua-${alias}`;
}

/**
 * Those on which QEMU plugs nothing into a guest that runs. Of sata QEMU 7.2 says "Bus 'ide.3' does not support
 * hotplugging", and libvirt 11 before it "disk bus 'sata' cannot be hotplugged" (lab/scenarios/guest-life.ts); ide is
 * the same bus to QEMU, and fdc has its drives from the start.
 */
const FIXED_BUSES = ['sata', 'ide', 'fdc'];

/**
 * Whether a QEMU guest has such a disk from its start to its end: none comes to it while it runs, and none leaves it.
 */
export function coldPlugOnly({ bus }: Pick<GuestDisk, 'bus'>): boolean {
  return bus !== undefined && FIXED_BUSES.includes(bus);
}
