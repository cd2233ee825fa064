import type { Secret } from '../base/secret.js';
import { VolumeError } from '../base/volume-error.js';
import type { IscsiConnection, VolumeFacts } from '../connection/iscsi-connection.js';
import { readConnectionInfo } from '../connection/read-connection-info.js';
import type { DiskTarget } from '../disk/disk-config.js';
import { diskXml } from '../disk/disk-xml.js';
import { makeDiskConfig } from '../disk/make-disk-config.js';
import { readDiskInfo } from '../disk/read-disk-info.js';
import { requireDescribable } from '../disk/require-describable.js';
import { requireGuestSerial } from '../disk/require-guest-serial.js';
import { type AttachOutcome, GuestAttach, type GuestAttachParts } from '../guest/guest-attach.js';
import { aliasOf, diskMatch } from '../guest/guest-disk.js';
import { refuseColdPlugOnly } from '../guest/guest-refusals.js';
import { guestSourceOf, type GuestSourceParts } from '../guest/guest-source.js';
import type { VolumeSecrets } from '../guest/volume-secrets.js';
import type { Domain, DomainRef } from '../libvirt/libvirt.js';
import { type ConnectedVolume, sourcePathsOf } from '../volume/connected-volume.js';
import type { HeldVolumes } from '../volume/held-volumes.js';
import type { HostVolumes } from '../volume/host-volumes.js';
import { withWarnings } from '../volume/released-volume.js';
import { requireFindable } from '../volume/require-findable.js';
import { UndoLog } from '../volume/undo-log.js';
import type { VolumeOptions } from '../config/options.js';
import type { AttachOptions } from './attach-options.js';
import { readPassphrase } from './read-passphrase.js';
import type { AttachedVolume } from './volume-driver.js';

/** How long the undoing of a failed attach may take, whatever became of the caller's signal. */
const UNDO_MS = 180_000;

export interface AttacherParts extends GuestSourceParts, GuestAttachParts {
  readonly volumes: HostVolumes;
  readonly secrets: VolumeSecrets;
  readonly options: VolumeOptions;
}

interface AttachRequest {
  readonly domain: DomainRef;
  /** The guest as it was found before anything was done. */
  readonly guest: Domain;
  readonly connection: IscsiConnection;
  readonly target: DiskTarget;
  readonly volumeId: string;
  /** Of an encrypted volume. */
  readonly passphrase: Secret | undefined;
}

/** Connects a volume and gives it to a guest, or does neither. */
export class VolumeAttacher {
  readonly #parts: AttacherParts;
  readonly #guestAttach: GuestAttach;

  constructor(parts: AttacherParts) {
    this.#parts = parts;
    this.#guestAttach = new GuestAttach(parts);
  }

  /** All that can be refused is refused before the volume is connected. */
  async attach(
    domain: DomainRef,
    { connectionInfo, diskInfo }: { readonly connectionInfo: unknown; readonly diskInfo: unknown },
    options: AttachOptions,
    signal: AbortSignal,
  ): Promise<AttachedVolume> {
    const { libvirt, options: configured, volumes } = this.#parts;
    const listed = readConnectionInfo(connectionInfo);
    const target = readDiskInfo(diskInfo);
    const volumeId = requireFindable('attach', listed, target);
    requireDescribable(listed, target, configured.virtType);
    requireGuestSerial(listed, target);
    const passphrase = readPassphrase(listed, target, options);
    const guest = await libvirt.lookupDomain(domain, signal);
    refuseColdPlugOnly(target, guest, configured);
    const { connection, notes } = await volumes.resolve(listed, signal);
    const request = { domain, guest, connection, target, volumeId, passphrase };
    const attached = await volumes.hold(
      [connection],
      signal,
      async (held, signal) => await this.#attach(request, held, signal),
    );
    return { ...attached, volume: withWarnings(attached.volume, notes) };
  }

  diskXml(facts: VolumeFacts, target: DiskTarget, devicePath: string, secretUuid?: string): string {
    const { options } = this.#parts;
    return diskXml(makeDiskConfig(facts, target, { devicePath, secretUuid, options }));
  }

  /**
   * Under the target's lock to the end: between connect and libvirt nobody may take the disk away, or its name would be
   * another volume's.
   */
  async #attach(request: AttachRequest, held: HeldVolumes, signal: AbortSignal): Promise<AttachedVolume> {
    const { connection } = request;
    const { volume, opened } = await held.open(connection, signal);
    const undo = new UndoLog();
    if (opened)
      undo.add(async () => {
        await held.release(connection, {}, AbortSignal.timeout(UNDO_MS));
      });
    const outcome = await this.#give(request, volume, { held, undo }, signal).catch((error: unknown) => ({
      kind: 'absent' as const,
      error,
    }));
    switch (outcome.kind) {
      case 'attached':
        return {
          volume: { ...volume, warnings: [...volume.warnings, ...outcome.warnings] },
          diskXml: outcome.diskXml,
        };
      case 'stays':
        throw outcome.error;
      case 'absent':
        throw await undone(undo, outcome.error);
      default:
        return outcome satisfies never;
    }
  }

  async #give(
    { domain, guest, connection, target, volumeId, passphrase }: AttachRequest,
    volume: ConnectedVolume,
    { held, undo }: { readonly held: HeldVolumes; readonly undo: UndoLog },
    signal: AbortSignal,
  ): Promise<AttachOutcome & { readonly diskXml: string }> {
    const wasInGuest = await this.#requireFree({ guest, connection, target }, volume, held, signal);
    const secretUuid =
      passphrase === undefined ? undefined : await this.#provideSecret(volumeId, passphrase, undo, signal);
    const source = await guestSourceOf(volume.device, guest, this.#parts, signal);
    const xml = this.diskXml(connection, target, source.path, secretUuid);
    const match = diskMatch(connection, sourcePathsOf(volume));
    const outcome = await this.#guestAttach.attach({ domain, diskXml: xml, match, wasInGuest }, signal);
    return outcome.kind === 'attached'
      ? { ...outcome, warnings: [...source.warnings, ...outcome.warnings], diskXml: xml }
      : { ...outcome, diskXml: xml };
  }

  /**
   * A volume that is for one guest is given to nobody while somebody has it open. Where that is this guest, libvirt
   * decides: it refuses a target and an alias that the guest has.
   * @returns whether the running guest has the volume
   * @throws {VolumeError} `DEVICE_IN_USE`
   */
  async #requireFree(
    { guest, connection, target }: Pick<AttachRequest, 'guest' | 'connection' | 'target'>,
    volume: ConnectedVolume,
    held: HeldVolumes,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (connection.multiattach || !(await held.isOpen(volume, signal))) return false;
    const paths: readonly string[] = sourcePathsOf(volume);
    const disks = await this.#parts.guestDisks.liveDisks({ kind: 'uuid', uuid: guest.uuid }, signal);
    const isOwn = disks.some(
      ({ alias, sourcePath, targetDev }) =>
        sourcePath !== undefined &&
        paths.includes(sourcePath) &&
        (targetDev === target.dev || (alias !== undefined && alias === aliasOf(connection))),
    );
    if (!isOwn) await held.requireUnused('attach', connection, signal);
    return isOwn;
  }

  /** To be undone from its first step on: a call that fails may have made the secret nevertheless. */
  async #provideSecret(volumeId: string, passphrase: Secret, undo: UndoLog, signal: AbortSignal): Promise<string> {
    const { secrets } = this.#parts;
    undo.add(async () => {
      await secrets.withdraw(volumeId, AbortSignal.timeout(UNDO_MS));
    });
    return await secrets.provide(volumeId, passphrase, signal);
  }
}

/** The error to throw once all is undone that can be. */
async function undone(undo: UndoLog, error: unknown): Promise<unknown> {
  const failures = await undo.run();
  return failures.length === 0
    ? error
    : new VolumeError('CLEANUP_INCOMPLETE', 'Cannot undo a failed attach in full', {
        cause: new AggregateError([error, ...failures]),
      });
}
