import { unlessAborted } from '../base/aborted.js';
import type { NonEmpty } from '../base/brand.js';
import { errorChain } from '../base/error-chain.js';
import type { Secret } from '../base/secret.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type {
  DriverVolumeType,
  IscsiConnection,
  ListedConnection,
  VolumeFacts,
} from '../connection/iscsi-connection.js';
import { readConnectionInfo } from '../connection/read-connection-info.js';
import type { BlockDevice } from '../device/block-device.js';
import { diskXml } from '../disk/disk-xml.js';
import { makeDiskConfig } from '../disk/make-disk-config.js';
import { readDiskInfo } from '../disk/read-disk-info.js';
import { requireDescribable } from '../disk/require-describable.js';
import { requireGuestSerial } from '../disk/require-guest-serial.js';
import { type DiskMatch, findGuestDisk } from '../guest/guest-disk.js';
import { refuseColdPlugOnly, refuseEncryptedGrowth } from '../guest/guest-refusals.js';
import { guestSourceOf } from '../guest/guest-source.js';
import { VolumeInGuest } from '../guest/volume-in-guest.js';
import { VolumeSecrets } from '../guest/volume-secrets.js';
import type { Hardware } from '../hardware/hardware.js';
import { readHardware } from '../hardware/read-hardware.js';
import { readIfaces } from '../iface/read-ifaces.js';
import type { IfaceSelector } from '../iface/select-iface.js';
import { resolveConnection, type ResolvedConnection } from '../initiator/resolve-connection.js';
import type { Domain, DomainRef } from '../libvirt/libvirt.js';
import { ifaceNamesOf, type IfacePlan, planIfaces } from '../preflight/iface-plan.js';
import { type ConnectedVolume, sourcePathsOf } from '../volume/connected-volume.js';
import { type DisconnectOptions, noted, type ReleasedVolume, targetsOf } from '../volume/released-volume.js';
import { requireFindable } from '../volume/require-findable.js';
import { UndoLog } from '../volume/undo-log.js';
import { type OpenedVolume, VolumeConnector } from '../volume/volume-connector.js';
import { VolumeExtender } from '../volume/volume-extender.js';
import { VolumeNotes } from '../volume/volume-notes.js';
import { VolumeReleaser } from '../volume/volume-releaser.js';
import type { AttachOptions } from './attach-options.js';
import type { DriverParts } from './driver-parts.js';
import type { MigratingVolume } from './migrating-volume.js';
import type { ArrivedVolume } from './migration-hooks.js';
import { readPassphrase } from './read-passphrase.js';
import { requireSwappable } from './require-swappable.js';
import type {
  AttachedVolume,
  ExtendedVolume,
  ExtendOptions,
  SwapOptions,
  SwappedVolume,
  VolumeDriver,
} from './volume-driver.js';
import { type LeftGuest, VolumeMigration } from './volume-migration.js';
import { VolumeSwapper } from './volume-swapper.js';

export type { DriverParts } from './driver-parts.js';

/** How long the undoing of a failed attach may take, whatever became of the caller's signal. */
const UNDO_MS = 180_000;

interface AttachRequest {
  /** The guest as it was found before anything was done. */
  readonly guest: Domain;
  readonly connection: IscsiConnection;
  readonly plan: IfacePlan;
  readonly diskInfo: unknown;
  readonly volumeId: string;
  /** Of an encrypted volume. */
  readonly passphrase: Secret | undefined;
}

interface ReleaseRequest {
  readonly connection: IscsiConnection;
  readonly plan: IfacePlan;
  readonly options: DisconnectOptions;
}

/** The road of every open-iscsi volume, told from end to end. Subclasses choose the iface and override no step. */
export abstract class LibvirtVolumeDriver implements VolumeDriver {
  abstract readonly volumeType: DriverVolumeType;
  readonly #parts: DriverParts;
  readonly #ifaces: NonEmpty<IfaceSelector>;
  readonly #connector: VolumeConnector;
  readonly #releaser: VolumeReleaser;
  readonly #extender: VolumeExtender;
  readonly #secrets: VolumeSecrets;
  readonly #migration: VolumeMigration;
  readonly #inGuest: VolumeInGuest;
  readonly #swapper: VolumeSwapper;
  readonly #closing = new AbortController();
  readonly #background = new Set<Promise<void>>();

  protected constructor(parts: DriverParts, ifaces: NonEmpty<IfaceSelector>) {
    this.#parts = parts;
    this.#ifaces = ifaces;
    const notes = new VolumeNotes({
      files: parts.files,
      logger: parts.logger,
      stateDirectory: parts.options.stateDirectory,
    });
    this.#connector = new VolumeConnector({
      ...parts,
      notes,
      joinLater: (connection, ended) => {
        this.#joinLater(connection, ended);
      },
      loginTimeoutMs: parts.options.loginTimeoutMs,
      hardware: async () => await this.#hardware(),
    });
    this.#releaser = new VolumeReleaser({ ...parts, notes });
    this.#extender = new VolumeExtender({ ...parts, notes });
    this.#secrets = new VolumeSecrets(parts);
    this.#inGuest = new VolumeInGuest(parts);
    this.#swapper = new VolumeSwapper({ ...parts, inGuest: this.#inGuest });
    this.#migration = new VolumeMigration({
      ...parts,
      secrets: this.#secrets,
      steps: {
        resolve: async (listed, signal) => await this.#resolve(listed, signal),
        locked: async (connection, signal, body) => await this.#withPlan(connection, signal, body),
        find: async (connection) => await this.#connector.find(connection, await this.#ifacePlan()),
        open: async (connection, plan, signal) => await this.#open(connection, plan, signal),
        lastingSource: async (device, signal) => await guestSourceOf(device, { persistent: true }, this.#parts, signal),
        prove: async (connection, plan, wwid, signal) => {
          await this.#releaser.prove(connection, ifaceNamesOf(plan), wwid, signal);
        },
        release: async (connection, plan, options, signal) =>
          await this.#releaseWith(connection, plan, options, signal),
        releaseAfter: async (left, request, signal) => await this.#releaseAfter(left, request, signal),
      },
    });
  }

  /** Waits for the paths that join volumes in the background. */
  async settled(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  /**
   * Gives up on paths that would still join. What they leave is found by the next connect() or disconnect() of their
   * volume.
   */
  async close(): Promise<void> {
    this.#closing.abort(new VolumeError('ABORTED', 'The driver was closed'));
    await this.settled();
  }

  async connect(connectionInfo: unknown, signal = never()): Promise<ConnectedVolume> {
    const { connection, notes } = await this.#resolve(readConnectionInfo(connectionInfo), signal);
    return noted(
      await this.#withPlan(connection, signal, async (plan) => (await this.#open(connection, plan, signal)).volume),
      notes,
    );
  }

  async find(connectionInfo: unknown, signal = never()): Promise<ConnectedVolume | undefined> {
    const { connection } = await this.#resolve(readConnectionInfo(connectionInfo), signal);
    return await this.#connector.find(connection, await this.#ifacePlan());
  }

  async disconnect(
    connectionInfo: unknown,
    options: DisconnectOptions = {},
    signal = never(),
  ): Promise<ReleasedVolume> {
    const { connection, notes } = await this.#resolve(readConnectionInfo(connectionInfo), signal);
    return noted(await this.#release(connection, options, signal), notes);
  }

  diskXml(connectionInfo: unknown, diskInfo: unknown, devicePath: string, secretUuid?: string): string {
    return this.#xml(readConnectionInfo(connectionInfo), diskInfo, devicePath, secretUuid);
  }

  async attach(
    domain: DomainRef,
    connectionInfo: unknown,
    diskInfo: unknown,
    signal = never(),
    options: AttachOptions = {},
  ): Promise<AttachedVolume> {
    const listed = readConnectionInfo(connectionInfo);
    const target = readDiskInfo(diskInfo);
    const volumeId = requireFindable('attach', listed, target);
    requireDescribable(listed, target, this.#parts.options.virtType);
    requireGuestSerial(listed, target);
    const passphrase = readPassphrase(listed, target, options);
    const guest = await this.#parts.libvirt.lookupDomain(domain, signal);
    refuseColdPlugOnly(target, guest, this.#parts.options);
    const { connection, notes } = await this.#resolve(listed, signal);
    const { volume, diskXml } = await this.#withPlan(
      connection,
      signal,
      async (plan) => await this.#attach(domain, { guest, connection, plan, diskInfo, volumeId, passphrase }, signal),
    );
    return { volume: noted(volume, notes), diskXml };
  }

  async detach(
    domain: DomainRef,
    connectionInfo: unknown,
    options: DisconnectOptions = {},
    signal = never(),
  ): Promise<ReleasedVolume> {
    const { connection, notes } = await this.#resolve(readConnectionInfo(connectionInfo), signal);
    const { wwid } = options;
    if (wwid !== undefined)
      await this.#withPlan(connection, signal, async (plan) => {
        await this.#releaser.prove(connection, ifaceNamesOf(plan), wwid, signal);
      });
    const match = await this.#matchIn(domain, connection, signal);
    const inGuest = await this.#parts.guestDisks.detach(domain, match, signal);
    return noted(
      await this.#withPlan(
        connection,
        signal,
        async (plan) => await this.#releaseAfter({ inGuest, match }, { connection, plan, options }, signal),
      ),
      notes,
    );
  }

  /**
   * A disk that only its device tells to be the volume's is looked for once more under the locks: the volume stays
   * while we look, and so the device is no other volume's.
   */
  async #matchIn(domain: DomainRef, connection: IscsiConnection, signal: AbortSignal): Promise<DiskMatch> {
    const look = async (plan: IfacePlan): Promise<DiskMatch> => {
      const volume = await this.#connector.find(connection, plan);
      return await this.#inGuest.match(
        domain,
        connection,
        volume === undefined
          ? []
          : sourcePathsOf(
              volume.device,
              volume.paths.map(({ disk }) => disk),
            ),
        signal,
      );
    };
    const match = await look(await this.#ifacePlan());
    return match.liveAlias === undefined ? match : await this.#withPlan(connection, signal, look);
  }

  /**
   * The host's part of detach(). The last guest out takes a shared volume along, by what libvirt's guests have and not
   * by a counter. Each looks under the target's lock and once its own guest has let go: of two that leave at the same
   * time the later one finds nobody, and a guest that comes meanwhile is seen.
   */
  async #releaseAfter(
    { inGuest, match, own }: LeftGuest,
    { connection, plan, options }: ReleaseRequest,
    signal: AbortSignal,
  ): Promise<ReleasedVolume> {
    const guests = connection.multiattach
      ? await this.#parts.guestDisks.guestsWith((disk) => findGuestDisk([disk], match) !== undefined, signal)
      : [];
    const others = guests.filter((name) => name !== own);
    if (others.length > 0)
      return {
        found: inGuest,
        warnings: [`the volume stays on this host for the guests that have it too: ${others.join(', ')}`],
      };
    if (connection.encrypted && connection.volumeId !== undefined)
      await this.#secrets.withdraw(connection.volumeId, signal);
    try {
      const released = await this.#releaseWith(connection, plan, options, signal);
      return { ...released, found: released.found || inGuest };
    } catch (error) {
      if (!inGuest || !connection.multiattach || !isVolumeError(error, 'DEVICE_IN_USE')) throw error;
      return { found: true, warnings: [`the volume stays on this host for others: ${error.message}`] };
    }
  }

  async extend(connectionInfo: unknown, { domain }: ExtendOptions = {}, signal = never()): Promise<ExtendedVolume> {
    const listed = readConnectionInfo(connectionInfo);
    if (domain !== undefined) {
      refuseEncryptedGrowth(listed);
      await this.#parts.libvirt.lookupDomain(domain, signal);
    }
    const { connection, notes } = await this.#resolve(listed, signal);
    return noted(
      await this.#withPlan(connection, signal, async (plan) => await this.#extend(domain, connection, plan, signal)),
      notes,
    );
  }

  async prepareMigration(domain: DomainRef, connectionInfo: unknown, signal = never()): Promise<MigratingVolume> {
    return await this.#migration.prepareMigration(domain, connectionInfo, signal);
  }

  async connectForMigration(
    connectionInfo: unknown,
    volume: MigratingVolume,
    signal = never(),
    options: AttachOptions = {},
  ): Promise<ArrivedVolume> {
    return await this.#migration.connectForMigration(connectionInfo, volume, signal, options);
  }

  async finishMigration(connectionInfo: unknown, volume: MigratingVolume, signal = never()): Promise<ReleasedVolume> {
    return await this.#migration.finishMigration(connectionInfo, volume, signal);
  }

  async cancelMigration(connectionInfo: unknown, volume: MigratingVolume, signal = never()): Promise<ReleasedVolume> {
    return await this.#migration.cancelMigration(connectionInfo, volume, signal);
  }

  async #extend(
    domain: DomainRef | undefined,
    connection: IscsiConnection,
    plan: IfacePlan,
    signal: AbortSignal,
  ): Promise<ExtendedVolume> {
    const began = this.#parts.clock.now();
    const { device, oldSizeBytes, sourcePaths, warnings } = await this.#extender.extend(
      connection,
      ifaceNamesOf(plan),
      signal,
    );
    const newSizeBytes = device.sizeBytes;
    const inGuest =
      domain === undefined
        ? undefined
        : await this.#parts.guestDisks.resize(
            domain,
            await this.#inGuest.match(domain, connection, sourcePaths, signal),
            newSizeBytes,
            signal,
          );
    const extended = {
      device,
      oldSizeBytes,
      newSizeBytes,
      guestResized: inGuest === 'resized',
      warnings: [...warnings, ...(inGuest === 'no-such-disk' ? ['the guest does not have the volume'] : [])],
    };
    this.#parts.events.emit({
      kind: 'volume-extended',
      wwid: device.wwid,
      device: device.path,
      oldSizeBytes: oldSizeBytes,
      newSizeBytes: newSizeBytes,
      guestResized: extended.guestResized,
      durationMs: this.#parts.clock.now() - began,
    });
    return extended;
  }

  async swap(
    domain: DomainRef,
    oldConnectionInfo: unknown,
    newConnectionInfo: unknown,
    { onProgress = () => undefined }: SwapOptions = {},
    signal = never(),
  ): Promise<SwappedVolume> {
    const [listedFrom, listedTo] = [readConnectionInfo(oldConnectionInfo), readConnectionInfo(newConnectionInfo)];
    requireSwappable(listedFrom, listedTo);
    await this.#swapper.requireRunning(domain, signal);
    const [{ connection: from, notes: ofFrom }, { connection: to, notes: ofTo }] = [
      await this.#resolve(listedFrom, signal),
      await this.#resolve(listedTo, signal),
    ];
    const plan = await this.#ifacePlan();
    const host = {
      find: async (connection: IscsiConnection) => await this.#connector.find(connection, plan),
      open: async (connection: IscsiConnection, aSignal: AbortSignal) => await this.#open(connection, plan, aSignal),
      requireUnused: async (connection: IscsiConnection, aSignal: AbortSignal) => {
        await this.#releaser.requireUnused(connection, ifaceNamesOf(plan), aSignal);
      },
      release: async (connection: IscsiConnection, aSignal: AbortSignal) =>
        await this.#releaseWith(connection, plan, {}, aSignal),
      lastingSource: async (device: BlockDevice, aSignal: AbortSignal) =>
        await guestSourceOf(device, { persistent: true }, this.#parts, aSignal),
    };
    const targets = [...new Set([...targetsOf(from), ...targetsOf(to)])];
    return noted(
      await this.#parts.locks.hold(
        targets,
        signal,
        async () => await this.#swapper.swap({ domain, from, to, onProgress }, host, signal),
      ),
      [...ofFrom, ...ofTo],
    );
  }

  /**
   * Under the target's lock to the end: between connect and libvirt nobody may take the disk away, or its name would be
   * another volume's.
   */
  async #attach(
    domain: DomainRef,
    { guest, connection, plan, diskInfo, volumeId, passphrase }: AttachRequest,
    signal: AbortSignal,
  ): Promise<AttachedVolume> {
    const { volume, opened } = await this.#open(connection, plan, signal);
    const undo = new UndoLog();
    if (opened)
      undo.add(async () => {
        await this.#releaseWith(connection, plan, {}, AbortSignal.timeout(UNDO_MS));
      });
    try {
      const secretUuid =
        passphrase === undefined ? undefined : await this.#provideSecret(volumeId, passphrase, undo, signal);
      const source = await guestSourceOf(volume.device, guest, this.#parts, signal);
      const xml = this.#xml(connection, diskInfo, source.path, secretUuid);
      await this.#parts.guestDisks.attach(domain, xml, signal);
      return { volume: { ...volume, warnings: [...volume.warnings, ...source.warnings] }, diskXml: xml };
    } catch (error) {
      const failures = await undo.run();
      if (failures.length > 0)
        throw new VolumeError('CLEANUP_INCOMPLETE', 'Cannot undo a failed attach in full', {
          cause: new AggregateError([error, ...failures]),
        });
      throw error;
    }
  }

  /** To be undone from its first step on: a call that fails may have made the secret nevertheless. */
  async #provideSecret(volumeId: string, passphrase: Secret, undo: UndoLog, signal: AbortSignal): Promise<string> {
    undo.add(async () => {
      await this.#secrets.withdraw(volumeId, AbortSignal.timeout(UNDO_MS));
    });
    return await this.#secrets.provide(volumeId, passphrase, signal);
  }

  async #resolve(listed: ListedConnection, signal: AbortSignal): Promise<ResolvedConnection> {
    return await resolveConnection(listed, this.#parts, signal);
  }

  async #open(connection: IscsiConnection, plan: IfacePlan, signal: AbortSignal): Promise<OpenedVolume> {
    const began = this.#parts.clock.now();
    const opened = await this.#connector.open(connection, plan, signal);
    const {
      device: { path: device, wwid },
      paths,
      transport: { requested, used },
    } = opened.volume;
    this.#parts.events.emit({
      kind: 'volume-connected',
      wwid,
      device,
      requested,
      used,
      paths: paths.length,
      durationMs: this.#parts.clock.now() - began,
    });
    return opened;
  }

  #joinLater(connection: IscsiConnection, late: Promise<void>): void {
    const work = this.#join(connection, late)
      .finally(() => this.#background.delete(work))
      .then(() => undefined);
    this.#background.add(work);
  }

  /** A login that connect() did not wait for: when it has ended, its path joins the volume under the locks, or goes. */
  async #join(connection: IscsiConnection, late: Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    try {
      await unlessAborted(late, signal);
      await this.#withPlan(connection, signal, async (plan) => {
        await this.#connector.join(connection, plan, signal);
      });
    } catch (error) {
      if (!signal.aborted)
        this.#parts.logger.warn('A late path did not join its volume', { reason: errorChain(error) });
    }
  }

  async #release(
    connection: IscsiConnection,
    options: DisconnectOptions,
    signal: AbortSignal,
  ): Promise<ReleasedVolume> {
    return await this.#withPlan(
      connection,
      signal,
      async (plan) => await this.#releaseWith(connection, plan, options, signal),
    );
  }

  async #releaseWith(
    connection: IscsiConnection,
    plan: IfacePlan,
    options: DisconnectOptions,
    signal: AbortSignal,
  ): Promise<ReleasedVolume> {
    const began = this.#parts.clock.now();
    const { wwid, ...released } = await this.#releaser.release(connection, ifaceNamesOf(plan), options, signal);
    this.#parts.events.emit({
      kind: 'volume-disconnected',
      wwid,
      found: released.found,
      durationMs: this.#parts.clock.now() - began,
    });
    return released;
  }

  async #withPlan<Result>(
    connection: IscsiConnection,
    signal: AbortSignal,
    body: (plan: IfacePlan) => Promise<Result>,
  ): Promise<Result> {
    const plan = await this.#ifacePlan();
    return await this.#parts.locks.hold(targetsOf(connection), signal, async () => await body(plan));
  }

  #xml(connection: VolumeFacts, diskInfo: unknown, devicePath: string, secretUuid?: string): string {
    return diskXml(
      makeDiskConfig(connection, readDiskInfo(diskInfo), { devicePath, secretUuid, options: this.#parts.options }),
    );
  }

  async #ifacePlan(): Promise<IfacePlan> {
    const {
      files,
      database,
      options: { iscsiIfaceFallback },
    } = this.#parts;
    return await planIfaces(this.#ifaces, {
      inventory: await readIfaces(files, database),
      hardware: async () => await this.#hardware({ hbaAddresses: true }),
      fallback: iscsiIfaceFallback,
    });
  }

  async #hardware(also?: { readonly hbaAddresses: boolean }): Promise<Hardware> {
    return await readHardware(this.#parts.files, this.#parts.netAddresses.list(), also);
  }
}

function never(): AbortSignal {
  return new AbortController().signal;
}
