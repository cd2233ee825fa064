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
import type { GuestDisks } from '../guest/guest-disks.js';
import { refuseColdPlugOnly } from '../guest/guest-refusals.js';
import { guestSourceOf, type GuestSourceParts } from '../guest/guest-source.js';
import type { VolumeSecrets } from '../guest/volume-secrets.js';
import type { Domain, DomainRef, Libvirt } from '../libvirt/libvirt.js';
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

export interface AttacherParts extends GuestSourceParts {
  readonly volumes: HostVolumes;
  readonly libvirt: Libvirt;
  readonly guestDisks: GuestDisks;
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

  constructor(parts: AttacherParts) {
    this.#parts = parts;
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
      async (held) => await this.#attach(request, held, signal),
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
  async #attach(
    { domain, guest, connection, target, volumeId, passphrase }: AttachRequest,
    held: HeldVolumes,
    signal: AbortSignal,
  ): Promise<AttachedVolume> {
    const { volume, opened } = await held.open(connection, signal);
    const undo = new UndoLog();
    if (opened)
      undo.add(async () => {
        await held.release(connection, {}, AbortSignal.timeout(UNDO_MS));
      });
    try {
      const secretUuid =
        passphrase === undefined ? undefined : await this.#provideSecret(volumeId, passphrase, undo, signal);
      const source = await guestSourceOf(volume.device, guest, this.#parts, signal);
      const xml = this.diskXml(connection, target, source.path, secretUuid);
      await this.#parts.guestDisks.attach(domain, xml, signal);
      return { volume: { ...volume, warnings: [...volume.warnings, ...source.warnings] }, diskXml: xml };
    } catch (error) {
      const failures = await undo.run();
      if (failures.length === 0) throw error;
      throw new VolumeError('CLEANUP_INCOMPLETE', 'Cannot undo a failed attach in full', {
        cause: new AggregateError([error, ...failures]),
      });
    }
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
