/**
 * a to z, aa to zz, and so on: how the kernel names SCSI disks (drivers/scsi/sd.c, sd_format_disk_name) and multipath
 * its maps (libmultipath/alias.c, format_devname).
 */
export function letters(index: number): string {
  const last = String.fromCharCode(97 + (index % 26));
  return index < 26 ? last : `${letters(Math.floor(index / 26) - 1)}${last}`;
}

/** The first index whose name is free. */
export function firstFree(isTaken: (index: number) => boolean): number {
  let index = 0;
  while (isTaken(index)) index += 1;
  return index;
}
