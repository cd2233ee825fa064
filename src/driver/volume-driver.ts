import type { CallOptions } from '../base/call-options.js';
import type { DriverVolumeType } from '../connection/iscsi-connection.js';
import type { BlockDevice } from '../device/block-device.js';
import type { DomainRef } from '../libvirt/libvirt.js';
import type { AttachOptions } from './attach-options.js';
import type { ConnectedVolume } from '../volume/connected-volume.js';
import type { DisconnectOptions, ReleasedVolume } from '../volume/released-volume.js';
import type { MigrationHooks } from './migration-hooks.js';

/** Where a volume stands in a guest once attach() is done. */
export interface AttachedVolume {
  readonly volume: ConnectedVolume;
  readonly diskXml: string;
}

/** What extend() found and did. */
export interface ExtendedVolume {
  /** The device on this host, at its new size. */
  readonly device: BlockDevice;
  readonly oldSizeBytes: number;
  /** The size as the storage has it; the old one where it had not grown. */
  readonly newSizeBytes: number;
  /** Whether a running guest was told of the size. One that does not run reads it when it starts. */
  readonly guestResized: boolean;
  readonly warnings: readonly string[];
}

export interface ExtendOptions extends CallOptions {
  /** The guest that has the volume. */
  readonly domain?: DomainRef;
}

/** How far a swap has come. */
export interface SwapProgress {
  readonly copiedBytes: number;
  /** Grows while the guest writes to what was copied already. */
  readonly totalBytes: number;
}

export interface SwapOptions extends CallOptions {
  /** Called again and again while data is copied, about once a second. What it throws goes to the log. */
  readonly onProgress?: (progress: SwapProgress) => void;
}

/** What swap() did. */
export interface SwappedVolume {
  /** The volume that the guest has now. */
  readonly volume: ConnectedVolume;
  /**
   * Whether the running guest sees all of a new volume that is larger. Where false and the new volume is larger, it
   * does when it starts anew, and a warning says so.
   */
  readonly guestResized: boolean;
  /** False: the old volume is still on this host, and a warning says why. */
  readonly oldReleased: boolean;
  readonly warnings: readonly string[];
}

/**
 * Brings a remote volume to this host as a block device, gives it to guests, and takes it away again.
 *
 * **Life of a volume.** `connect` makes a session to the target and waits until the kernel shows the volume's block
 * device; `diskXml` says how a guest shall see it; `disconnect` writes out what is still in memory, removes the device,
 * and ends the session. `attach` is connect, diskXml and libvirt in one, rolled back as a whole when any of it fails;
 * `detach` is the way back: the guest lets go first, and until libvirt's event or its XML says that it did, nothing on
 * the host is touched.
 *
 * **No memory.** Every call names the whole volume through its connection_info, which is never written to. What is
 * connected is read from the kernel each time, so a restarted service loses nothing and two services do not contradict
 * each other.
 *
 * **Idempotence.** connect of a connected volume gives the same device; disconnect of a volume that is not there is
 * quiet; attach to a guest that has the volume at that target succeeds, with a warning.
 *
 * **Growth.** `extend` brings a volume that has grown at the storage to its size on this host and in the guest, while
 * it is in use.
 *
 * **Migration.** A guest that runs may move to another host: the calls of {@link MigrationHooks} are the volume's part,
 * one for each moment.
 *
 * **Exchange.** `swap` puts another volume in the place of one that a running guest has, with the data of the old one,
 * while the guest uses it.
 *
 * **Sharing.** Several volumes may live on one target: they share its session, and the last one out ends it. Calls for
 * one target run one after another, also across processes; calls for different targets never wait for each other. A
 * volume that the storage service calls `multiattach` stays on this host until the last guest that has it, for now or
 * for its next start, lets go of it; which guests have it is seen in libvirt. Any other volume is for one guest at a
 * time, as the storage service grants it: while somebody has it open, attach to another guest is `DEVICE_IN_USE`, and
 * so is detach from a guest that let go of it. A guest that is shut off is not looked for.
 *
 * **Failure.** Every rejection is a {@link VolumeError} with a stable code. A failed connect or attach leaves the host
 * as it was before the call. A failed disconnect stops before data could be lost; calling it again goes on from there.
 *
 * **Waiting.** Every call ends: each wait inside has a limit, and the signal ends it early. A login that open-iscsi has
 * already begun is waited for (at most `login_timeout_seconds`) before it is undone, because open-iscsi cannot take it
 * back; and so is an attach that libvirt has begun (at most 30 s), because only its end tells what the guest has.
 */
export interface VolumeDriver extends MigrationHooks {
  /** The `driver_volume_type` this driver serves. */
  readonly volumeType: DriverVolumeType;

  /**
   * @param connectionInfo what the storage service returned, as parsed JSON
   * @throws {VolumeError} `CONNECTION_INFO_INVALID` naming the key; `IFACE_NOT_FOUND`, `PERMISSION_DENIED`,
   * `INITIATOR_UNAVAILABLE`,
   *   `LOGIN_AUTH_FAILED`, `LOGIN_REFUSED`, `PORTAL_UNREACHABLE`, `TRANSPORT_UNAVAILABLE`, `TRANSPORT_MISMATCH`,
   *   `DEVICE_NOT_FOUND`, `LOCK_TIMED_OUT`, `LOCK_LOST`, `ABORTED`
   */
  connect(connectionInfo: unknown, options?: CallOptions): Promise<ConnectedVolume>;

  /**
   * Finds the volume on this host without changing anything.
   * @returns `undefined` when it is not connected
   */
  find(connectionInfo: unknown, options?: CallOptions): Promise<ConnectedVolume | undefined>;

  /**
   * @throws {VolumeError} `DEVICE_MISMATCH` when the paths show different volumes, or another than `wwid`;
   * `DEVICE_IN_USE` when a process, a mount or another device holds it: it is left as it was; `FLUSH_FAILED`;
   *   `LOGOUT_FAILED`; `CLEANUP_INCOMPLETE` listing each failure, under `force`
   */
  disconnect(connectionInfo: unknown, options?: DisconnectOptions): Promise<ReleasedVolume>;

  /**
   * What libvirt is to be told about the volume. Touches nothing.
   * @param diskInfo where the guest shall see it: `{ dev, bus, type?, unit? }`, and how it is run:
   * `{ detect_zeroes?, error_policy?, rerror_policy?, iothread?, queues?, rotation_rate? }`
   * @param devicePath the device on this host, from connect()
   * @throws {VolumeError} `CONNECTION_INFO_INVALID`, `DISK_INFO_INVALID` naming the key
   */
  diskXml(connectionInfo: unknown, diskInfo: unknown, devicePath: string, secretUuid?: string): string;

  /**
   * A guest that libvirt keeps gets a name of the device that outlasts a reboot of the host, made of the volume's WWID
   * and seen to lead to it; where there is none it gets the device's path, and the warnings say so. Any other guest
   * gets the path.
   *
   * Where libvirt's answer is lost, the guest's descriptions decide, live and stored: with the whole disk in the guest
   * the call succeeds, with a warning; else it is undone. The volume stays on this host as long as the guest may have
   * it, and the error is `CLEANUP_INCOMPLETE`.
   * @param options the passphrase of an encrypted volume. It becomes a private libvirt secret, which detach() removes
   * @throws {VolumeError} as connect(); `CONNECTION_INFO_INVALID` also for an encrypted volume without a passphrase,
   * `DISK_INFO_INVALID`, `USAGE` for a passphrase that cannot be one;
   *   `DEVICE_IN_USE` for a volume that is not multiattach and that somebody has open; `DOMAIN_NOT_FOUND`,
   *   `LIBVIRT_UNAVAILABLE`, `LIBVIRT_REFUSED`; `CLEANUP_INCOMPLETE`
   */
  attach(
    domain: DomainRef,
    connectionInfo: unknown,
    diskInfo: unknown,
    options?: AttachOptions,
  ): Promise<AttachedVolume>;

  /**
   * @throws {VolumeError} as disconnect(); `DOMAIN_NOT_FOUND`, `DETACH_UNCONFIRMED` when the guest still has the disk
   */
  detach(domain: DomainRef, connectionInfo: unknown, options?: DisconnectOptions): Promise<ReleasedVolume>;

  /**
   * After the storage service has made the volume larger: brings every path, the map and the running guest to its size,
   * each step proven by what the kernel shows. Never makes anything smaller. A path that is down does not hold the
   * others up: it leaves the map, is named in the warnings, and comes back in full size with a connect() once its
   * portal is back. A second call is quiet, and goes on where the first one failed.
   * @throws {VolumeError} `DEVICE_NOT_FOUND` when the volume is not connected; `RESIZE_FAILED` naming the sizes;
   * `DEVICE_MISMATCH`; `CONNECTION_INFO_INVALID` for a guest and an encrypted volume;
   *   `DOMAIN_NOT_FOUND`, `LIBVIRT_UNAVAILABLE`, `LIBVIRT_REFUSED`
   */
  extend(connectionInfo: unknown, options?: ExtendOptions): Promise<ExtendedVolume>;

  /**
   * Puts the new volume in the place of the old one under a running guest: connects the new one, has the guest copy its
   * data to it while it runs (blockCopy), moves the guest over (pivot), proves that by the guest's own description, and
   * disconnects the old one. The guest keeps its disk as it was, target, address, alias and serial; its stored
   * description gets those of the new volume, so that from then on detach() and extend() take the new connection_info,
   * at once and after the next start.
   *
   * It resolves when the guest is on the new volume, and what failed after that is in the warnings: nothing of it is
   * undone. It rejects when the guest is on the old volume, and then the new one is disconnected again, if this call
   * connected it. A second call is quiet, and goes on where an earlier one was cut off, or beside one that still waits.
   * The volumes' targets are locked until the copy has begun, and again from the pivot on, not while it goes on.
   * @throws {VolumeError} as connect(); `CONNECTION_INFO_INVALID` also for an encrypted or a multiattach volume, and
   * for a new one that is read-only; `USAGE` when both are one volume; `DISK_INFO_INVALID` for a disk of type lun;
   * `RESIZE_FAILED` when the new volume is smaller; `DEVICE_NOT_FOUND` when the guest does not have the old one;
   * `DEVICE_MISMATCH` when it has another one in its place; `COPY_FAILED`; `DOMAIN_NOT_FOUND`, `LIBVIRT_UNAVAILABLE`;
   * `LIBVIRT_REFUSED`
   *   also for a guest that does not run; `CLEANUP_INCOMPLETE` when a copy could not be ended
   */
  swap(
    domain: DomainRef,
    oldConnectionInfo: unknown,
    newConnectionInfo: unknown,
    options?: SwapOptions,
  ): Promise<SwappedVolume>;

  /** Waits for the paths that join volumes in the background. */
  settled(): Promise<void>;

  /**
   * Gives up on paths that would still join. What they leave is found by the next connect() or disconnect() of their
   * volume. Volumes stay as they are.
   */
  close(): Promise<void>;

  /** close(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
