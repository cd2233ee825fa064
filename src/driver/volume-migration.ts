import { type CallOptions, signalOf } from '../base/call-options.js';
import { guestSourceOf, type GuestSourceParts } from '../guest/guest-source.js';
import type { HostVolumes } from '../volume/host-volumes.js';
import { releaseAfterGuest, type ReleaseParts } from './release-after-guest.js';
import { quoted } from '../base/quoted.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { VolumeFacts } from '../connection/iscsi-connection.js';
import { readConnectionInfo } from '../connection/read-connection-info.js';
import { diskMatch, type DiskMatch, findGuestDisk, type GuestDisk } from '../guest/guest-disk.js';
import type { DomainRef, Libvirt } from '../libvirt/libvirt.js';
import { type ConnectedVolume, sourcePathsOf } from '../volume/connected-volume.js';
import type { ReleasedVolume } from '../volume/released-volume.js';
import { UNDO_MS, UndoLog } from '../volume/undo-log.js';
import type { AttachOptions } from './attach-options.js';
import { type MigratingVolume, readMigratingVolume } from './migrating-volume.js';
import type { ArrivedVolume, MigrationHooks } from './migration-hooks.js';
import { readPassphrase } from './read-passphrase.js';

export interface MigrationParts extends ReleaseParts, GuestSourceParts {
  readonly libvirt: Libvirt;
  readonly volumes: HostVolumes;
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

  async prepareMigration(domain: DomainRef, connectionInfo: unknown, options: CallOptions): Promise<MigratingVolume> {
    const { libvirt, guestDisks, volumes } = this.#parts;
    const signal = signalOf(options);
    const listed = readConnectionInfo(connectionInfo);
    const guest = await libvirt.lookupDomain(domain, signal);
    if (!guest.active) throw notThere(`guest ${quoted(guest.name)} does not run`);
    const { connection } = await volumes.resolve(listed, signal);
    const volume = await volumes.find(connection);
    if (volume === undefined) throw notThere('it is not connected to this host');
    const sourcePaths = sourcePathsOf(volume);
    const disk = findGuestDisk(await guestDisks.disks(refOf(guest), signal), diskMatch(connection, sourcePaths));
    if (disk === undefined) throw notThere(`guest ${quoted(guest.name)} does not have it`);
    const {
      device: { path, wwid, kind },
    } = volume;
    const sourcePath = await this.#requireSource(guest.name, disk, sourcePaths);
    if (wwid === undefined)
      throw new VolumeError(
        'DEVICE_MISMATCH',
        `Cannot migrate the volume: ${path} reports no WWID, so that nothing could prove that the ` +
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
    options: AttachOptions,
  ): Promise<ArrivedVolume> {
    const { secrets, volumes } = this.#parts;
    const signal = signalOf(options);
    const migrating = readMigratingVolume(given);
    const listed = readConnectionInfo(connectionInfo);
    requireSameEncryption(listed, migrating);
    const passphrase = readPassphrase(listed, { type: 'disk' }, options);
    const { connection, notes } = await volumes.resolve(listed, signal);
    return await volumes.hold([connection], signal, async (held, signal) => {
      const { volume, opened } = await held.open(connection, signal);
      const undo = new UndoLog();
      if (opened)
        undo.add(async () => {
          await held.release(connection, {}, AbortSignal.timeout(UNDO_MS));
        });
      try {
        requireSameVolume(volume, migrating);
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
          ? await guestSourceOf(volume.device, { persistent: true }, this.#parts, signal)
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
    options: CallOptions,
  ): Promise<ReleasedVolume> {
    return await this.#leave(connectionInfo, volume, signalOf(options));
  }

  async cancelMigration(
    connectionInfo: unknown,
    volume: MigratingVolume,
    options: CallOptions,
  ): Promise<ReleasedVolume> {
    return await this.#leave(connectionInfo, volume, signalOf(options));
  }

  /** The proof comes first: with the other host's connection_info not even the secret is touched. */
  async #leave(connectionInfo: unknown, given: MigratingVolume, signal: AbortSignal): Promise<ReleasedVolume> {
    const { volumes } = this.#parts;
    const migrating = readMigratingVolume(given);
    const { connection, notes } = await volumes.resolve(readConnectionInfo(connectionInfo), signal);
    return await volumes.hold([connection], signal, async (held, signal) => {
      const { wwid } = migrating;
      await held.verifyIdentity(connection, wwid, signal);
      const volume = await held.find(connection);
      const match = diskMatch(connection, volume === undefined ? [] : sourcePathsOf(volume));
      const isStored = await this.#requireLeft(migrating, match, signal);
      const own = isStored ? { own: migrating.guest.name } : {};
      const released = await releaseAfterGuest(
        { inGuest: false, match, ...own },
        { connection, options: { wwid }, held },
        this.#parts,
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
        `Cannot disconnect the volume from this host: guest ${quoted(name)} runs here and has it as ${disk.targetDev}`,
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
      `${wwid === undefined ? 'reports no WWID' : `is ${wwid}`}, and the guest has ${expected} on the source`,
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

function notThere(why: string): VolumeError {
  return new VolumeError('DEVICE_NOT_FOUND', `Cannot migrate the volume: ${why}`);
}

function refOf({ uuid }: { readonly uuid: string }): DomainRef {
  return { kind: 'uuid', uuid };
}
