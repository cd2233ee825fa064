import { type CallOptions, signalOf } from '../../src/base/call-options.js';
import { throwIfAborted } from '../../src/base/aborted.js';
import type { Secret } from '../../src/base/secret.js';
import { VolumeError } from '../../src/base/volume-error.js';
import { isPortalName } from '../../src/connection/portal-name.js';
import type { ListedConnection } from '../../src/connection/iscsi-connection.js';
import { readConnectionInfo } from '../../src/connection/read-connection-info.js';
import type { DevicePath } from '../../src/device/block-device.js';
import type { Wwid } from '../../src/device/wwid.js';
import { diskXml } from '../../src/disk/disk-xml.js';
import { makeDiskConfig } from '../../src/disk/make-disk-config.js';
import { readDiskInfo } from '../../src/disk/read-disk-info.js';
import type { AttachOptions } from '../../src/driver/attach-options.js';
import type { ConnectedVolume } from '../../src/volume/connected-volume.js';
import type { MigratingVolume } from '../../src/driver/migrating-volume.js';
import type { ArrivedVolume } from '../../src/driver/migration-hooks.js';
import { readPassphrase } from '../../src/driver/read-passphrase.js';
import type {
  AttachedVolume,
  ExtendedVolume,
  ExtendOptions,
  SwapOptions,
  SwappedVolume,
  VolumeDriver,
} from '../../src/driver/volume-driver.js';
import type { DisconnectOptions, ReleasedVolume } from '../../src/volume/released-volume.js';
import { DEFAULT_IFACE } from '../../src/iface/iface-name.js';
import { type DomainRef, formatDomainRef } from '../../src/libvirt/libvirt.js';

export interface FakeVolumeDriverSettings {
  /** The guests there are. */
  readonly domains?: readonly string[];
  /** Targets that nobody can log in to. */
  readonly unreachable?: readonly string[];
  /** How long a login takes, in milliseconds. The signal ends it early, and then nothing is connected. */
  readonly loginMs?: number;
  readonly warnings?: readonly string[];
}

const SIZE_BYTES = 1_073_741_824;

/** A volume driver that keeps its volumes in memory and obeys the contract of VolumeDriver. */
export class FakeVolumeDriver implements VolumeDriver {
  readonly volumeType = 'iscsi';
  /** Logins that have begun and not ended. */
  loginsRunning = 0;
  /** That of the last attach(). */
  passphrase: Secret | undefined;
  readonly #settings: FakeVolumeDriverSettings;
  readonly #connected = new Map<string, ConnectedVolume>();
  readonly #sizes = new Map<string, number>();
  readonly #guests = new Map<string, Set<string>>();

  constructor(settings: FakeVolumeDriverSettings = {}) {
    this.#settings = settings;
    for (const domain of settings.domains ?? ['web1']) this.#guests.set(domain, new Set());
  }

  async connect(connectionInfo: unknown, options: CallOptions = {}): Promise<ConnectedVolume> {
    const connection = readConnectionInfo(connectionInfo);
    throwIfAborted(signalOf(options));
    const present = this.#connected.get(keyOf(connection));
    if (present !== undefined) return present;
    if (this.#settings.unreachable?.includes(connection.paths[0].target) === true) {
      throw new VolumeError('PORTAL_UNREACHABLE', `Cannot reach the target ${connection.paths[0].target}`, {
        cause: new Error('connection refused'),
        hint: 'Check that the target is up',
        details: { target: connection.paths[0].target },
      });
    }
    await this.#logIn(signalOf(options));
    const volume = this.#volumeOf(connection);
    this.#connected.set(keyOf(connection), volume);
    return volume;
  }

  async find(connectionInfo: unknown, options: CallOptions = {}): Promise<ConnectedVolume | undefined> {
    throwIfAborted(signalOf(options));
    return this.#connected.get(keyOf(readConnectionInfo(connectionInfo)));
  }

  async disconnect(connectionInfo: unknown, { wwid, ...options }: DisconnectOptions = {}): Promise<ReleasedVolume> {
    const key = keyOf(readConnectionInfo(connectionInfo));
    throwIfAborted(signalOf(options));
    this.#require(key, wwid);
    const guest = [...this.#guests].find(([, volumes]) => volumes.has(key));
    if (guest !== undefined)
      throw new VolumeError('DEVICE_IN_USE', `Cannot disconnect the volume: the guest ${guest[0]} has it`);
    return { found: this.#connected.delete(key), warnings: this.#settings.warnings ?? [] };
  }

  diskXml(connectionInfo: unknown, diskInfo: unknown, devicePath: string, secretUuid?: string): string {
    return diskXml(
      makeDiskConfig(readConnectionInfo(connectionInfo), readDiskInfo(diskInfo), {
        devicePath,
        secretUuid,
        options: { blockCacheMode: undefined, useDefaultAioModeForVolumes: false, virtType: 'kvm' },
      }),
    );
  }

  async attach(
    domain: DomainRef,
    connectionInfo: unknown,
    diskInfo: unknown,
    options: AttachOptions = {},
  ): Promise<AttachedVolume> {
    this.passphrase = readPassphrase(readConnectionInfo(connectionInfo), readDiskInfo(diskInfo), options);
    const volumes = this.#volumesOf(domain);
    const volume = await this.connect(connectionInfo, options);
    volumes.add(keyOf(readConnectionInfo(connectionInfo)));
    return { volume, diskXml: this.diskXml(connectionInfo, diskInfo, volume.device.path) };
  }

  async detach(domain: DomainRef, connectionInfo: unknown, options: DisconnectOptions = {}): Promise<ReleasedVolume> {
    throwIfAborted(signalOf(options));
    this.#require(keyOf(readConnectionInfo(connectionInfo)), options.wwid);
    const left = this.#volumesOf(domain).delete(keyOf(readConnectionInfo(connectionInfo)));
    const released = await this.disconnect(connectionInfo, options);
    return { ...released, found: left || released.found };
  }

  async extend(connectionInfo: unknown, { domain, ...options }: ExtendOptions = {}): Promise<ExtendedVolume> {
    throwIfAborted(signalOf(options));
    const key = keyOf(readConnectionInfo(connectionInfo));
    const guestResized = domain !== undefined && this.#volumesOf(domain).has(key);
    const volume = this.#connected.get(key);
    if (volume === undefined)
      throw new VolumeError('DEVICE_NOT_FOUND', 'Cannot extend the volume: it is not connected');
    const oldSizeBytes = volume.device.sizeBytes;
    const device = { ...volume.device, sizeBytes: this.#sizes.get(key) ?? oldSizeBytes };
    this.#connected.set(key, { ...volume, device });
    return {
      device,
      oldSizeBytes,
      newSizeBytes: device.sizeBytes,
      guestResized,
      warnings: this.#settings.warnings ?? [],
    };
  }

  async prepareMigration(
    domain: DomainRef,
    connectionInfo: unknown,
    options: CallOptions = {},
  ): Promise<MigratingVolume> {
    const key = keyOf(readConnectionInfo(connectionInfo));
    const volume = await this.find(connectionInfo, options);
    if (!this.#volumesOf(domain).has(key) || volume?.device.wwid === undefined)
      throw new VolumeError('DEVICE_NOT_FOUND', 'Cannot migrate the volume: the guest does not have it');
    const { path, wwid, kind } = volume.device;
    return {
      guest: { name: formatDomainRef(domain), uuid: formatDomainRef(domain) },
      wwid,
      kind,
      sourcePath: path,
      targetDev: 'vdb',
    };
  }

  async connectForMigration(
    connectionInfo: unknown,
    { wwid, targetDev, sourcePath }: MigratingVolume,
    options: CallOptions = {},
  ): Promise<ArrivedVolume> {
    const volume = await this.connect(connectionInfo, options);
    this.#require(keyOf(readConnectionInfo(connectionInfo)), wwid);
    return { volume, disk: { targetDev, from: { path: sourcePath }, to: { path: volume.device.path } } };
  }

  async finishMigration(
    connectionInfo: unknown,
    { guest, wwid }: MigratingVolume,
    options: CallOptions = {},
  ): Promise<ReleasedVolume> {
    if (this.#guests.get(guest.name)?.has(keyOf(readConnectionInfo(connectionInfo))) === true)
      throw new VolumeError('DETACH_UNCONFIRMED', `Cannot disconnect the volume from this host: ${guest.name} has it`);
    return await this.disconnect(connectionInfo, { ...options, wwid });
  }

  async cancelMigration(
    connectionInfo: unknown,
    volume: MigratingVolume,
    options: CallOptions = {},
  ): Promise<ReleasedVolume> {
    return await this.finishMigration(connectionInfo, volume, options);
  }

  async swap(
    domain: DomainRef,
    oldConnectionInfo: unknown,
    newConnectionInfo: unknown,
    { onProgress, ...options }: SwapOptions = {},
  ): Promise<SwappedVolume> {
    const [oldKey, newKey] = [
      keyOf(readConnectionInfo(oldConnectionInfo)),
      keyOf(readConnectionInfo(newConnectionInfo)),
    ];
    const volumes = this.#volumesOf(domain);
    if (!volumes.has(oldKey))
      throw new VolumeError(
        'DEVICE_NOT_FOUND',
        `Cannot swap the volume: the guest ${formatDomainRef(domain)} does not have it`,
      );
    const volume = await this.connect(newConnectionInfo, options);
    for (const copiedBytes of [0, SIZE_BYTES / 2, SIZE_BYTES]) onProgress?.({ copiedBytes, totalBytes: SIZE_BYTES });
    volumes.delete(oldKey);
    volumes.add(newKey);
    this.#connected.delete(oldKey);
    return { volume, guestResized: false, oldReleased: true, warnings: this.#settings.warnings ?? [] };
  }

  async settled(): Promise<void> {
    await Promise.resolve();
  }

  async close(): Promise<void> {
    await this.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What the storage has made of a volume since it was connected. */
  grow(connectionInfo: unknown, sizeBytes: number): void {
    this.#sizes.set(keyOf(readConnectionInfo(connectionInfo)), sizeBytes);
  }

  async #logIn(signal: AbortSignal): Promise<void> {
    const ends = Date.now() + (this.#settings.loginMs ?? 0);
    this.loginsRunning++;
    try {
      while (Date.now() < ends) {
        throwIfAborted(signal);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    } finally {
      this.loginsRunning--;
    }
  }

  #require(key: string, wwid: string | undefined): void {
    const found = this.#connected.get(key)?.device.wwid;
    if (wwid !== undefined && found !== undefined && found !== wwid)
      throw new VolumeError('DEVICE_MISMATCH', `Cannot disconnect the volume: it is ${found}; expected ${wwid}`);
  }

  #volumesOf(domain: DomainRef): Set<string> {
    const volumes = this.#guests.get(formatDomainRef(domain));
    if (volumes === undefined)
      throw new VolumeError('DOMAIN_NOT_FOUND', `Cannot find the domain ${formatDomainRef(domain)}`);
    return volumes;
  }

  #volumeOf({ paths: [path] }: ListedConnection): ConnectedVolume {
    const number = this.#connected.size;
    const disk = `/dev/sd${String.fromCharCode(97 + number)}` as DevicePath;
    const wwid = `3600140500000000000000000000000${number}` as Wwid;
    return {
      device: {
        kind: 'disk',
        path: disk,
        address: { host: 2, channel: 0, target: 0, lun: `${path.lun}` },
        wwid,
        sizeBytes: SIZE_BYTES,
      },
      paths: [
        {
          ...path,
          portal: isPortalName(path.portal) ? { address: '192.0.2.10', port: path.portal.port } : path.portal,
          disk,
          iface: DEFAULT_IFACE,
          transport: 'tcp',
          session: number + 1,
        },
      ],
      transport: { requested: DEFAULT_IFACE, used: DEFAULT_IFACE, fallback: undefined },
      warnings: this.#settings.warnings ?? [],
    };
  }
}

function keyOf({ paths: [{ target, lun }] }: ListedConnection): string {
  return `${target} ${lun}`;
}
