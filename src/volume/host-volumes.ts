import { unlessAborted } from '../base/aborted.js';
import type { NonEmpty } from '../base/brand.js';
import { errorChain } from '../base/error-chain.js';
import type { Logger } from '../base/logger.js';
import { VolumeError } from '../base/volume-error.js';
import type { VolumeOptions } from '../config/options.js';
import type { IscsiConnection, ListedConnection } from '../connection/iscsi-connection.js';
import type { Portal } from '../connection/portal.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import type { LinuxBlockDevices } from '../device/linux-block-devices.js';
import type { MultipathMaps } from '../device/multipath/multipath-maps.js';
import type { VolumeEvents } from '../events/volume-events.js';
import type { Hardware } from '../hardware/hardware.js';
import { readHardware } from '../hardware/read-hardware.js';
import type { Clock } from '../host/clock.js';
import type { FileSystem } from '../host/file-system.js';
import type { HostNames } from '../host/host-names.js';
import type { Locks } from '../host/locks.js';
import type { NetAddresses } from '../host/net-addresses.js';
import type { Processes } from '../host/processes.js';
import type { IfaceRecords } from '../iface/iface-records.js';
import { readIfaces } from '../iface/read-ifaces.js';
import type { IfaceSelector } from '../iface/select-iface.js';
import type { PortalSearch } from '../initiator/discovery/discover-portals.js';
import type { OpenIscsiInitiator } from '../initiator/open-iscsi-initiator.js';
import { resolveConnection, type ResolvedConnection } from '../initiator/resolve-connection.js';
import { type IfacePlan, planIfaces } from '../preflight/iface-plan.js';
import type { ConnectedVolume } from './connected-volume.js';
import { HeldVolumes } from './held-volumes.js';
import { VolumeConnector } from './connect/volume-connector.js';
import { VolumeExtender } from './volume-extender.js';
import { VolumeNotes } from './notes/volume-notes.js';
import { VolumeDisconnector } from './volume-disconnector.js';

export interface HostVolumesParts {
  readonly initiator: OpenIscsiInitiator;
  readonly devices: LinuxBlockDevices;
  readonly maps: MultipathMaps;
  readonly locks: Locks;
  readonly files: FileSystem;
  readonly processes: Processes;
  readonly database: OpenIscsiDatabase;
  readonly ifaceRecords: IfaceRecords;
  readonly clock: Clock;
  readonly netAddresses: NetAddresses;
  readonly hostNames: HostNames;
  readonly discover: (search: PortalSearch, signal: AbortSignal) => Promise<readonly Portal[]>;
  readonly logger: Logger;
  readonly events: VolumeEvents;
  readonly options: VolumeOptions;
}

/** The volumes of this host over the ifaces of one driver: looked at by anyone, changed under their targets' locks. */
export class HostVolumes {
  readonly #parts: HostVolumesParts;
  readonly #ifaces: NonEmpty<IfaceSelector>;
  readonly #connector: VolumeConnector;
  readonly #releaser: VolumeDisconnector;
  readonly #extender: VolumeExtender;
  readonly #closing = new AbortController();
  readonly #background = new Set<Promise<void>>();

  constructor(parts: HostVolumesParts, ifaces: NonEmpty<IfaceSelector>) {
    this.#parts = parts;
    this.#ifaces = ifaces;
    const { files, logger, options, processes } = parts;
    const notes = new VolumeNotes({ files, processes, logger, stateDirectory: options.stateDirectory });
    this.#connector = new VolumeConnector({
      ...parts,
      notes,
      joinLater: (connection, ended) => {
        this.#joinLater(connection, ended);
      },
      loginTimeoutMs: options.loginTimeoutMs,
      hardware: async () => await this.#hardware(),
    });
    this.#releaser = new VolumeDisconnector({ ...parts, notes });
    this.#extender = new VolumeExtender({ ...parts, notes });
  }

  /** The connection with its portals' names as addresses. */
  async resolve(listed: ListedConnection, signal: AbortSignal): Promise<ResolvedConnection> {
    return await resolveConnection(listed, this.#parts, signal);
  }

  /** Without a lock: what it finds may be gone when it is told. */
  async find(connection: IscsiConnection): Promise<ConnectedVolume | undefined> {
    return await this.#connector.find(connection, await this.#plan());
  }

  /**
   * Runs the body under the locks of all targets of the connections. The body uses its own signal for what it does
   * under them: that aborts with the caller's, or with `LOCK_LOST` once another process may have a lock. Steps that
   * undo have a time limit of their own, and go on without the lock.
   */
  async hold<Result>(
    connections: NonEmpty<IscsiConnection>,
    signal: AbortSignal,
    body: (held: HeldVolumes, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const plan = await this.#plan();
    const targets = new Set(connections.flatMap(({ paths }) => paths.map(({ target }) => target)));
    const { clock, devices, events, locks, maps } = this.#parts;
    const [connector, releaser, extender] = [this.#connector, this.#releaser, this.#extender];
    const parts = { connector, releaser, extender, devices, maps, clock, events };
    return await locks.hold(
      [...targets],
      signal,
      async (underLock) => await body(new HeldVolumes(parts, plan), underLock),
    );
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

  #joinLater(connection: IscsiConnection, ended: (signal: AbortSignal) => Promise<void>): void {
    const work = this.#join(connection, ended)
      .finally(() => this.#background.delete(work))
      .then(() => undefined);
    this.#background.add(work);
  }

  async #join(connection: IscsiConnection, ended: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    try {
      await unlessAborted(ended(signal), signal);
      await this.hold([connection], signal, async (held, underLock) => {
        await held.join(connection, underLock);
      });
    } catch (error) {
      if (!signal.aborted)
        this.#parts.logger.warn('A late path did not join its volume', { reason: errorChain(error) });
    }
  }

  async #plan(): Promise<IfacePlan> {
    const { database, files, options } = this.#parts;
    return await planIfaces(this.#ifaces, {
      inventory: await readIfaces(files, database),
      hardware: async () => await this.#hardware({ hbaAddresses: true }),
      fallback: options.iscsiIfaceFallback,
    });
  }

  async #hardware(also?: { readonly hbaAddresses: boolean }): Promise<Hardware> {
    return await readHardware(this.#parts.files, this.#parts.netAddresses.list(), also);
  }
}
