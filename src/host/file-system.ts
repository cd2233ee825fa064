export type FileKind = 'file' | 'directory' | 'block-device' | 'other';

/**
 * The files of the host: sysfs, procfs, open-iscsi's database. An absent file is an answer (`undefined`, or an empty
 * list), because everything in sysfs may vanish between two looks (ENOENT, ENODEV, ENXIO, EIO, ENOTDIR all mean
 * "gone"), and a sick driver may have no answer (EBUSY).
 * @throws {VolumeError} `PERMISSION_DENIED` where the operating system says EACCES, EPERM or EROFS
 */
export interface FileSystem {
  /** The text without its last newline. */
  readText(path: string): Promise<string | undefined>;
  /** Of a file on a disk: an I/O error is thrown, and never says that the file is not there. */
  readBytes(path: string): Promise<Uint8Array | undefined>;
  /** Names in the directory, sorted. */
  list(directory: string): Promise<readonly string[]>;
  /** Where the path leads once all links are followed. */
  realPath(path: string): Promise<string | undefined>;
  kind(path: string): Promise<FileKind | undefined>;
  /** Makes the directory and its parents. Quiet when it is there. */
  makeDirectory(path: string, mode: number): Promise<void>;
  /**
   * Readers see the old text or the new, never a part: written to `temporary` (same file system) and renamed.
   * @param text may hold bytes that are no UTF-8 (base/byte-text.ts)
   */
  replace(path: string, text: string, mode: number, temporary: string): Promise<void>;
  /** Writes a file that is not there, through to the disk. */
  create(path: string, text: string, mode: number): Promise<void>;
  /** Gives the file another name, in place of what has it. @returns false when there is no such file */
  rename(path: string, to: string): Promise<boolean>;
  /** A hard link. @returns false when `path` is there already */
  link(existing: string, path: string): Promise<boolean>;
  /** Quiet when it is gone already. */
  remove(path: string): Promise<void>;
  /** Removes an empty directory. @returns false when it is not empty */
  removeDirectory(path: string): Promise<boolean>;
  /**
   * Writes a sysfs attribute. Such a write may block for minutes (a scan on a sick path), so it does not take one of
   * the few threads that all other file work shares; when the signal aborts, the call rejects and the write is left to
   * end.
   * @throws {VolumeError} `DEVICE_NOT_FOUND` when the attribute's device is gone
   */
  writeAttribute(path: string, text: string, signal: AbortSignal): Promise<void>;
  /** Writes a block device's dirty pages out and waits for them. Blocks as `writeAttribute` does. */
  syncDevice(path: string, signal: AbortSignal): Promise<void>;
  /** Whether a write to the file, or of the device, goes on whose call was aborted. One without it cannot tell. */
  hasStuckWrite?(path: string): boolean;
}
