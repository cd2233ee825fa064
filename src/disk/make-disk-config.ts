import { quoted } from '../base/quoted.js';
import { VolumeError } from '../base/volume-error.js';
import type { CacheMode, VolumeOptions } from '../config/options.js';
import type { VolumeFacts } from '../connection/iscsi-connection.js';
import { type DiskConfig, type DiskTarget, userAlias } from './disk-config.js';
import { isQemu, requireDescribable } from './require-describable.js';

/** What the disk's description takes from outside the connection_info and the disk_info. */
export interface DiskSurroundings {
  /** The device on this host. */
  readonly devicePath: string;
  /** The libvirt secret that opens a LUKS volume; `undefined` for any other. */
  readonly secretUuid: string | undefined;
  readonly options: Pick<VolumeOptions, 'blockCacheMode' | 'useDefaultAioModeForVolumes' | 'virtType'>;
}

/**
 * Decides what libvirt is told about one disk, as nova does (nova, virt/libvirt/volume/volume.py and iscsi.py,
 * `get_config`).
 * @throws {VolumeError} `CONNECTION_INFO_INVALID`, `DISK_INFO_INVALID` for what the hypervisor, or the rest of the
 * volume, does not go with;
 *   `USAGE` when the device path is not absolute or the secret is not a UUID
 */
export function makeDiskConfig(
  connection: VolumeFacts,
  target: DiskTarget,
  { devicePath, secretUuid, options }: DiskSurroundings,
): DiskConfig {
  refuseUnusable(devicePath, secretUuid);
  requireDescribable(connection, target, options.virtType);
  const cache = cacheOf(connection, options.blockCacheMode);
  const isLun = target.type === 'lun';
  return {
    sourcePath: devicePath,
    target,
    driverName: isQemu(options.virtType) ? 'qemu' : undefined,
    cache,
    io: options.useDefaultAioModeForVolumes ? undefined : ioFor(cache),
    discard: connection.discard ? 'unmap' : undefined,
    alias: userAlias(connection.volumeId ?? connection.serial),
    // A lun's requests go to the storage itself, which answers with its own serial and block sizes: QEMU refuses ours.
    serial: isLun ? undefined : connection.serial,
    qos: connection.qos,
    logicalBlockSize: isLun ? undefined : connection.logicalBlockSize,
    physicalBlockSize: isLun ? undefined : connection.physicalBlockSize,
    readonly: connection.readonly,
    shareable: connection.multiattach,
    secretUuid,
  };
}

/** A disk that several guests write to must not be cached by any host. */
function cacheOf({ multiattach }: VolumeFacts, configured: CacheMode | undefined): CacheMode {
  return multiattach ? 'none' : (configured ?? 'none');
}

/** Native AIO needs O_DIRECT: QEMU does not start with it over a page cache (QEMU, block/file-posix.c). */
function ioFor(cache: CacheMode): 'native' | 'threads' {
  return cache === 'none' || cache === 'directsync' ? 'native' : 'threads';
}

const UUID = /^[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i;
const DEVICE_PATH = /^\/[^\p{Cc}]+$/u;

function refuseUnusable(devicePath: string, secretUuid: string | undefined): void {
  if (!DEVICE_PATH.test(devicePath)) {
    throw new VolumeError(
      'USAGE',
      `Cannot describe the disk: the device is ${quoted(devicePath)}: expected an absolute path such as /dev/sdb`,
    );
  }
  if (secretUuid !== undefined && !UUID.test(secretUuid)) {
    throw new VolumeError('USAGE', `Cannot describe the disk: the secret is ${quoted(secretUuid)}: expected its UUID`);
  }
}
