import type { NonEmpty } from '../base/brand.js';
import { type CallOptions, signalOf } from '../base/call-options.js';
import type { DriverVolumeType } from '../connection/iscsi-connection.js';
import { readConnectionInfo } from '../connection/read-connection-info.js';
import { readDiskInfo } from '../disk/read-disk-info.js';
import { VolumeInGuest } from '../guest/volume-in-guest.js';
import { VolumeSecrets } from '../guest/volume-secrets.js';
import type { IfaceSelector } from '../iface/select-iface.js';
import type { DomainRef } from '../libvirt/libvirt.js';
import type { ConnectedVolume } from '../volume/connected-volume.js';
import { HostVolumes } from '../volume/host-volumes.js';
import { type DisconnectOptions, withWarnings, type ReleasedVolume } from '../volume/released-volume.js';
import type { AttachOptions } from './attach-options.js';
import type { DriverParts } from './driver-parts.js';
import { GuestExtender } from './guest-extender.js';
import type { MigratingVolume } from './migrating-volume.js';
import type { ArrivedVolume } from './migration-hooks.js';
import { VolumeAttacher } from './volume-attacher.js';
import { VolumeDetacher } from './volume-detacher.js';
import type {
  AttachedVolume,
  ExtendedVolume,
  ExtendOptions,
  SwapOptions,
  SwappedVolume,
  VolumeDriver,
} from './volume-driver.js';
import { VolumeMigration } from './volume-migration.js';
import { VolumeSwapper } from './swap/volume-swapper.js';

export type { DriverParts } from './driver-parts.js';

/** What every open-iscsi volume has in common: each call, by the class that does it. Subclasses choose the iface. */
export abstract class LibvirtVolumeDriver implements VolumeDriver {
  abstract readonly volumeType: DriverVolumeType;
  readonly #volumes: HostVolumes;
  readonly #attacher: VolumeAttacher;
  readonly #detacher: VolumeDetacher;
  readonly #extender: GuestExtender;
  readonly #swapper: VolumeSwapper;
  readonly #migration: VolumeMigration;

  protected constructor(parts: DriverParts, ifaces: NonEmpty<IfaceSelector>) {
    this.#volumes = new HostVolumes(parts, ifaces);
    const tools = {
      ...parts,
      volumes: this.#volumes,
      secrets: new VolumeSecrets(parts),
      inGuest: new VolumeInGuest(parts),
    };
    this.#attacher = new VolumeAttacher(tools);
    this.#detacher = new VolumeDetacher(tools);
    this.#extender = new GuestExtender(tools);
    this.#swapper = new VolumeSwapper(tools);
    this.#migration = new VolumeMigration(tools);
  }

  async connect(connectionInfo: unknown, options: CallOptions = {}): Promise<ConnectedVolume> {
    const signal = signalOf(options);
    const { connection, notes } = await this.#volumes.resolve(readConnectionInfo(connectionInfo), signal);
    const { volume } = await this.#volumes.hold(
      [connection],
      signal,
      async (held, signal) => await held.open(connection, signal),
    );
    return withWarnings(volume, notes);
  }

  async find(connectionInfo: unknown, options: CallOptions = {}): Promise<ConnectedVolume | undefined> {
    const { connection } = await this.#volumes.resolve(readConnectionInfo(connectionInfo), signalOf(options));
    return await this.#volumes.find(connection);
  }

  async disconnect(connectionInfo: unknown, options: DisconnectOptions = {}): Promise<ReleasedVolume> {
    const signal = signalOf(options);
    const { connection, notes } = await this.#volumes.resolve(readConnectionInfo(connectionInfo), signal);
    const released = await this.#volumes.hold(
      [connection],
      signal,
      async (held, signal) => await held.release(connection, options, signal),
    );
    return withWarnings(released, notes);
  }

  diskXml(connectionInfo: unknown, diskInfo: unknown, devicePath: string, secretUuid?: string): string {
    return this.#attacher.diskXml(readConnectionInfo(connectionInfo), readDiskInfo(diskInfo), devicePath, secretUuid);
  }

  async attach(
    domain: DomainRef,
    connectionInfo: unknown,
    diskInfo: unknown,
    options: AttachOptions = {},
  ): Promise<AttachedVolume> {
    return await this.#attacher.attach(domain, { connectionInfo, diskInfo }, options, signalOf(options));
  }

  async detach(domain: DomainRef, connectionInfo: unknown, options: DisconnectOptions = {}): Promise<ReleasedVolume> {
    return await this.#detacher.detach(domain, connectionInfo, options, signalOf(options));
  }

  async extend(connectionInfo: unknown, options: ExtendOptions = {}): Promise<ExtendedVolume> {
    return await this.#extender.extend(options.domain, connectionInfo, signalOf(options));
  }

  async swap(
    domain: DomainRef,
    oldConnectionInfo: unknown,
    newConnectionInfo: unknown,
    options: SwapOptions = {},
  ): Promise<SwappedVolume> {
    return await this.#swapper.swap(domain, { oldConnectionInfo, newConnectionInfo }, options, signalOf(options));
  }

  async prepareMigration(
    domain: DomainRef,
    connectionInfo: unknown,
    options: CallOptions = {},
  ): Promise<MigratingVolume> {
    return await this.#migration.prepareMigration(domain, connectionInfo, options);
  }

  async connectForMigration(
    connectionInfo: unknown,
    volume: MigratingVolume,
    options: AttachOptions = {},
  ): Promise<ArrivedVolume> {
    return await this.#migration.connectForMigration(connectionInfo, volume, options);
  }

  async finishMigration(
    connectionInfo: unknown,
    volume: MigratingVolume,
    options: CallOptions = {},
  ): Promise<ReleasedVolume> {
    return await this.#migration.finishMigration(connectionInfo, volume, options);
  }

  async cancelMigration(
    connectionInfo: unknown,
    volume: MigratingVolume,
    options: CallOptions = {},
  ): Promise<ReleasedVolume> {
    return await this.#migration.cancelMigration(connectionInfo, volume, options);
  }

  async settled(): Promise<void> {
    await this.#volumes.settled();
  }

  async close(): Promise<void> {
    await this.#volumes.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
