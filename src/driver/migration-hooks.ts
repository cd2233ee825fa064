import type { CallOptions } from '../base/call-options.js';
import type { DiskReplacement } from '../guest/migration-xml.js';
import type { DomainRef } from '../libvirt/libvirt.js';
import type { AttachOptions } from './attach-options.js';
import type { ConnectedVolume } from '../volume/connected-volume.js';
import type { MigratingVolume } from './migrating-volume.js';
import type { ReleasedVolume } from '../volume/released-volume.js';

/** What connectForMigration() gives: the volume on the destination, and what becomes of the guest's disk. */
export interface ArrivedVolume {
  readonly volume: ConnectedVolume;
  /** For migrationXml(). */
  readonly disk: DiskReplacement;
}

/**
 * A guest that runs moves to another host, and its volume is there before it and leaves the host that it came from
 * after it. The compute service has libvirt migrate the guest; these are the volume's part, one call for each moment.
 * Each is called on the host that it is about, with **that host's own connection_info**: the storage service may have
 * given the volume another target, portal or LUN for each of them, and what one host's target and LUN are on the other
 * is somebody else's volume. The WWID that goes with the volume proves it each time.
 *
 * Each call may be repeated; one that failed goes on from there.
 */
export interface MigrationHooks {
  /**
   * On the source, before: what the guest has there. Touches nothing.
   * @returns what to keep and to send to the destination
   * @throws {VolumeError} `DEVICE_NOT_FOUND` when the guest does not run, does not have the volume, or the volume is
   * not on this host; `DEVICE_MISMATCH` when the guest's disk is another device, or the volume
   *   reports no WWID; `DOMAIN_NOT_FOUND`, `LIBVIRT_UNAVAILABLE`
   */
  prepareMigration(domain: DomainRef, connectionInfo: unknown, options?: CallOptions): Promise<MigratingVolume>;

  /**
   * On the destination, before: connects the volume, and has libvirt hold the passphrase of an encrypted one. When any
   * of it fails, all of it is undone.
   * @throws {VolumeError} as connect(); `DEVICE_MISMATCH` when it is not the source's volume; `CONNECTION_INFO_INVALID`
   * when it is encrypted on one host only, or without a passphrase; `USAGE`;
   *   `LIBVIRT_UNAVAILABLE`, `LIBVIRT_REFUSED`
   */
  connectForMigration(
    connectionInfo: unknown,
    volume: MigratingVolume,
    options?: AttachOptions,
  ): Promise<ArrivedVolume>;

  /**
   * On the source, once the guest runs on the destination: the volume leaves this host. A failure is no failure of the
   * migration: the guest has its volume where it is, and this call may be repeated. A volume that other guests of this
   * host share stays for them.
   * @throws {VolumeError} `DETACH_UNCONFIRMED` when the guest still runs here with the volume: nothing was touched; as
   * disconnect(); `LIBVIRT_UNAVAILABLE`
   */
  finishMigration(connectionInfo: unknown, volume: MigratingVolume, options?: CallOptions): Promise<ReleasedVolume>;

  /**
   * On the destination, when the migration has failed and the guest still runs on the source: takes back what
   * connectForMigration() did.
   * @throws {VolumeError} as finishMigration(): a guest that runs here with the volume has arrived after all
   */
  cancelMigration(connectionInfo: unknown, volume: MigratingVolume, options?: CallOptions): Promise<ReleasedVolume>;
}
