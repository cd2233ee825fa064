import { quoted } from '../base/quoted.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { IscsiConnection, ListedConnection, VolumeFacts } from '../connection/iscsi-connection.js';
import { readConnectionInfo } from '../connection/read-connection-info.js';
import type { BlockDevice } from '../device/block-device.js';
import { diskMatch, type DiskMatch, findGuestDisk, type GuestDisk } from '../guest/guest-disk.js';
import type { GuestDisks } from '../guest/guest-disks.js';
import type { GuestSource } from '../guest/guest-source.js';
import type { VolumeSecrets } from '../guest/volume-secrets.js';
import type { FileSystem } from '../host/file-system.js';
import type { ResolvedConnection } from '../initiator/resolve-connection.js';
import type { DomainRef, Libvirt } from '../libvirt/libvirt.js';
import type { IfacePlan } from '../preflight/iface-plan.js';
import { type ConnectedVolume, sourcePathsOf } from '../volume/connected-volume.js';
import type { DisconnectOptions, ReleasedVolume } from '../volume/released-volume.js';
import { UNDO_MS, UndoLog } from '../volume/undo-log.js';
import type { OpenedVolume } from '../volume/volume-connector.js';
import type { AttachOptions } from './attach-options.js';
import { type MigratingVolume, readMigratingVolume } from './migrating-volume.js';
import type { ArrivedVolume, MigrationHooks } from './migration-hooks.js';
import { readPassphrase } from './read-passphrase.js';

/** What the driver does on a host for every call. */
export interface HostSteps {
  resolve(listed: ListedConnection, signal: AbortSignal): Promise<ResolvedConnection>;
  /** Under the locks of the connection's targets. */
  locked<Result>(
    connection: IscsiConnection,
    signal: AbortSignal,
    body: (plan: IfacePlan) => Promise<Result>,
  ): Promise<Result>;
  find(connection: IscsiConnection): Promise<ConnectedVolume | undefined>;
  open(connection: IscsiConnection, plan: IfacePlan, signal: AbortSignal): Promise<OpenedVolume>;
  /** What the description of a guest that libvirt keeps calls the device. */
  lastingSource(device: BlockDevice, signal: AbortSignal): Promise<GuestSource>;
  prove(connection: IscsiConnection, plan: IfacePlan, wwid: string, signal: AbortSignal): Promise<void>;
  release(
    connection: IscsiConnection,
    plan: IfacePlan,
    options: DisconnectOptions,
    signal: AbortSignal,
  ): Promise<ReleasedVolume>;
  /** With the secret, and not while other guests of the host share the volume. */
  releaseAfter(
    left: LeftGuest,
    request: { readonly connection: IscsiConnection; readonly plan: IfacePlan; readonly options: DisconnectOptions },
    signal: AbortSignal,
  ): Promise<ReleasedVolume>;
}

/** A guest that has let go of the volume. */
export interface LeftGuest {
  /** Whether it had the volume until a moment ago. */
  readonly inGuest: boolean;
  readonly match: DiskMatch;
  /** The guest's own name, where its stored description still has the volume: it is no other guest. */
  readonly own?: string;
}

export interface MigrationParts {
  readonly libvirt: Libvirt;
  readonly guestDisks: GuestDisks;
  readonly secrets: VolumeSecrets;
  readonly files: FileSystem;
  readonly steps: HostSteps;
}

/**
 * The volume's part of a live migration. What is to be done on the source afterwards and on the destination after a
 * failure is the same: a guest that is not here any more, or never was, needs no volume here.
 */
export class VolumeMigration implements MigrationHooks {
  readonly #parts: MigrationParts;

  constructor(parts: MigrationParts) {
    this.#parts = parts;
  }

  async prepareMigration(domain: DomainRef, connectionInfo: unknown, signal: AbortSignal): Promise<MigratingVolume> {
    const { libvirt, guestDisks, steps } = this.#parts;
    const listed = readConnectionInfo(connectionInfo);
    const guest = await libvirt.lookupDomain(domain, signal);
    if (!guest.active) throw notThere(`guest ${quoted(guest.name)} does not run`);
    const { connection } = await steps.resolve(listed, signal);
    const volume = await steps.find(connection);
    if (volume === undefined) throw notThere('it is not connected to this host');
    const sourcePaths = pathsOf(volume);
    const disk = findGuestDisk(await guestDisks.disks(refOf(guest), signal), diskMatch(connection, sourcePaths));
    if (disk === undefined) throw notThere(`guest ${quoted(guest.name)} does not have it`);
    const {
      device: { path, wwid, kind },
    } = volume;
    const sourcePath = await this.#requireSource(guest.name, disk, sourcePaths);
    if (wwid === undefined)
      throw new VolumeError(
        'DEVICE_MISMATCH',
        `Cannot migrate the volume: ${path} does not say who it is, so that nothing could prove that the ` +
          'destination has the same one',
        { details: { device: path } },
      );
    return {
      guest: { name: guest.name, uuid: guest.uuid },
      wwid,
      kind,
      sourcePath,
      targetDev: disk.targetDev,
      ...(disk.alias?.startsWith('ua-') === true ? { alias: disk.alias } : {}),
      ...(disk.secretUuid === undefined ? {} : { secretUuid: disk.secretUuid }),
    };
  }

  async connectForMigration(
    connectionInfo: unknown,
    given: MigratingVolume,
    signal: AbortSignal,
    options: AttachOptions = {},
  ): Promise<ArrivedVolume> {
    const { steps } = this.#parts;
    const migrating = readMigratingVolume(given);
    const listed = readConnectionInfo(connectionInfo);
    requireSameEncryption(listed, migrating);
    const passphrase = readPassphrase(listed, { type: 'disk' }, options);
    const { connection, notes } = await steps.resolve(listed, signal);
    return await steps.locked(connection, signal, async (plan) => {
      const { volume, opened } = await steps.open(connection, plan, signal);
      const undo = new UndoLog();
      if (opened)
        undo.add(async () => {
          await steps.release(connection, plan, {}, AbortSignal.timeout(UNDO_MS));
        });
      try {
        requireSameVolume(volume, migrating);
        const { secrets } = this.#parts;
        const { volumeId } = connection;
        if (passphrase !== undefined && volumeId !== undefined)
          undo.add(async () => {
            await secrets.withdraw(volumeId, AbortSignal.timeout(UNDO_MS));
          });
        const secretUuid =
          passphrase === undefined || volumeId === undefined
            ? undefined
            : await secrets.provide(volumeId, passphrase, signal);
        const source = isLasting(migrating.sourcePath)
          ? await steps.lastingSource(volume.device, signal)
          : { path: volume.device.path, warnings: [] };
        return {
          volume: { ...volume, warnings: [...notes, ...volume.warnings, ...source.warnings] },
          disk: replacementOf(migrating, source.path, secretUuid),
        };
      } catch (error) {
        throw await undo.after(error);
      }
    });
  }

  async finishMigration(
    connectionInfo: unknown,
    volume: MigratingVolume,
    signal: AbortSignal,
  ): Promise<ReleasedVolume> {
    return await this.#leave(connectionInfo, volume, signal);
  }

  async cancelMigration(
    connectionInfo: unknown,
    volume: MigratingVolume,
    signal: AbortSignal,
  ): Promise<ReleasedVolume> {
    return await this.#leave(connectionInfo, volume, signal);
  }

  /** The proof comes first: with the other host's connection_info not even the secret is touched. */
  async #leave(connectionInfo: unknown, given: MigratingVolume, signal: AbortSignal): Promise<ReleasedVolume> {
    const { steps } = this.#parts;
    const migrating = readMigratingVolume(given);
    const { connection, notes } = await steps.resolve(readConnectionInfo(connectionInfo), signal);
    return await steps.locked(connection, signal, async (plan) => {
      const { wwid } = migrating;
      await steps.prove(connection, plan, wwid, signal);
      const volume = await steps.find(connection);
      const match = diskMatch(connection, volume === undefined ? [] : pathsOf(volume));
      const isStored = await this.#requireLeft(migrating, match, signal);
      const own = isStored ? { own: migrating.guest.name } : {};
      const released = await steps.releaseAfter(
        { inGuest: false, match, ...own },
        { connection, plan, options: { wwid } },
        signal,
      );
      const stored = isStored
        ? [
            `guest ${quoted(migrating.guest.name)} is still defined on this host, and its description has the ` +
              'volume: undefine it',
          ]
        : [];
      return { ...released, warnings: [...notes, ...released.warnings, ...stored] };
    });
  }

  /**
   * By UUID, which a guest keeps when it moves.
   * @returns whether the guest is shut off here and has the volume for its next start
   */
  async #requireLeft({ guest, targetDev }: MigratingVolume, match: DiskMatch, signal: AbortSignal): Promise<boolean> {
    const { libvirt, guestDisks } = this.#parts;
    const ref = refOf(guest);
    try {
      const { active, name } = await libvirt.lookupDomain(ref, signal);
      const disk = findGuestDisk(await guestDisks.disks(ref, signal), match);
      if (disk === undefined || !active) return disk !== undefined;
      throw new VolumeError(
        'DETACH_UNCONFIRMED',
        `Cannot take the volume from this host: guest ${quoted(name)} runs here and has it as ${disk.targetDev}`,
        {
          hint:
            'wait for the end of the migration; where the guest stays on this host, the other host is the one ' +
            'that has to let go',
          details: { guest: name, uuid: guest.uuid, targetDev },
        },
      );
    } catch (error) {
      if (isVolumeError(error, 'DOMAIN_NOT_FOUND')) return false;
      throw error;
    }
  }

  /** A link to the device is the device. */
  async #requireSource(
    guest: string,
    { sourcePath, targetDev }: GuestDisk,
    sourcePaths: readonly string[],
  ): Promise<string> {
    const real =
      sourcePath === undefined || sourcePaths.includes(sourcePath)
        ? sourcePath
        : await this.#parts.files.realPath(sourcePath);
    if (sourcePath !== undefined && real !== undefined && sourcePaths.includes(real)) return sourcePath;
    throw new VolumeError(
      'DEVICE_MISMATCH',
      `Cannot migrate the volume: ${targetDev} of guest ${quoted(guest)} is ${sourcePath ?? 'no device'}, and the ` +
        `volume is ${sourcePaths[0] ?? 'nothing'} on this host`,
      {
        hint: 'give the connection_info of this host',
        details: { guest, targetDev, found: sourcePath, expected: sourcePaths },
      },
    );
  }
}

function requireSameVolume(
  { device: { path, wwid } }: ConnectedVolume,
  { wwid: expected, guest }: MigratingVolume,
): void {
  if (wwid === expected) return;
  throw new VolumeError(
    'DEVICE_MISMATCH',
    `Cannot connect the volume for guest ${quoted(guest.name)}: ${path} ` +
      `${wwid === undefined ? 'does not say who it is' : `is ${wwid}`}, and the guest has ${expected} on the source`,
    {
      hint:
        'give the connection_info that the storage service returned for this host; where it did, it exports ' +
        'another volume here',
      details: { device: path, found: wwid, expected },
    },
  );
}

function requireSameEncryption({ encrypted }: VolumeFacts, { guest, secretUuid }: MigratingVolume): void {
  if (encrypted === (secretUuid !== undefined)) return;
  throw new VolumeError(
    'CONNECTION_INFO_INVALID',
    `Cannot connect the volume for guest ${quoted(guest.name)}: data.encrypted is ${encrypted}, and on the source ` +
      `QEMU ${encrypted ? 'does not decrypt it' : 'decrypts it'}`,
    {
      hint: 'give the connection_info that the storage service returned for this host',
      details: { key: 'data.encrypted' },
    },
  );
}

function replacementOf(
  { targetDev, alias, sourcePath, secretUuid: before }: MigratingVolume,
  path: string,
  secretUuid: string | undefined,
): ArrivedVolume['disk'] {
  return {
    targetDev,
    ...(alias === undefined ? {} : { alias }),
    from: { path: sourcePath, ...(before === undefined ? {} : { secretUuid: before }) },
    to: { path, ...(secretUuid === undefined ? {} : { secretUuid }) },
  };
}

/** Whether the guest's description is one that outlasts a boot of its host, by the name that attach() gave the disk. */
function isLasting(sourcePath: string): boolean {
  return sourcePath.startsWith('/dev/disk/by-id/');
}

function pathsOf({ device, paths }: ConnectedVolume): readonly string[] {
  return sourcePathsOf(
    device,
    paths.map(({ disk }) => disk),
  );
}

function notThere(why: string): VolumeError {
  return new VolumeError('DEVICE_NOT_FOUND', `Cannot migrate the volume: ${why}`);
}

function refOf({ uuid }: { readonly uuid: string }): DomainRef {
  return { kind: 'uuid', uuid };
}
