import type { IscsiConnection } from '../connection/iscsi-connection.js';
import type { LinuxBlockDevices } from '../device/linux-block-devices.js';
import type { MultipathMaps } from '../device/multipath/multipath-maps.js';
import type { VolumeEvents } from '../events/volume-events.js';
import type { Clock } from '../host/clock.js';
import { ifaceNamesOf, type IfacePlan } from '../preflight/iface-plan.js';
import type { ConnectedVolume } from './connected-volume.js';
import type { DisconnectOptions, ReleasedVolume } from './released-volume.js';
import type { OpenedVolume, VolumeConnector } from './connect/volume-connector.js';
import type { ExtendedDevice, VolumeExtender } from './volume-extender.js';
import type { VolumeDisconnector } from './volume-disconnector.js';

export interface HeldVolumesParts {
  readonly connector: VolumeConnector;
  readonly releaser: VolumeDisconnector;
  readonly extender: VolumeExtender;
  readonly devices: LinuxBlockDevices;
  readonly maps: MultipathMaps;
  readonly clock: Clock;
  readonly events: VolumeEvents;
}

/** Volumes whose targets are locked for this call: what changes one is here, and nowhere else. */
export class HeldVolumes {
  readonly #parts: HeldVolumesParts;
  readonly #plan: IfacePlan;

  constructor(parts: HeldVolumesParts, plan: IfacePlan) {
    this.#parts = parts;
    this.#plan = plan;
  }

  async find(connection: IscsiConnection): Promise<ConnectedVolume | undefined> {
    return await this.#parts.connector.find(connection, this.#plan);
  }

  async open(connection: IscsiConnection, signal: AbortSignal): Promise<OpenedVolume> {
    const { clock, connector, events } = this.#parts;
    const began = clock.now();
    const opened = await connector.open(connection, this.#plan, signal);
    const { device, paths, transport } = opened.volume;
    events.emit({
      kind: 'volume-connected',
      wwid: device.wwid,
      device: device.path,
      requested: transport.requested,
      used: transport.used,
      paths: paths.length,
      durationMs: clock.now() - began,
    });
    return opened;
  }

  /** For paths whose logins have ended since open() left them: they join the volume, or go. */
  async join(connection: IscsiConnection, signal: AbortSignal): Promise<void> {
    await this.#parts.connector.join(connection, this.#plan, signal);
  }

  async extend(connection: IscsiConnection, signal: AbortSignal): Promise<ExtendedDevice> {
    return await this.#parts.extender.extend(connection, ifaceNamesOf(this.#plan), signal);
  }

  /** @throws {VolumeError} `DEVICE_MISMATCH` when anything of the connection is another volume */
  async verifyIdentity(connection: IscsiConnection, wwid: string, signal: AbortSignal): Promise<void> {
    await this.#parts.releaser.verifyIdentity(connection, ifaceNamesOf(this.#plan), wwid, signal);
  }

  /** @throws {VolumeError} `DEVICE_IN_USE` when a process, a mount or another device has the volume open */
  async requireUnused(doing: 'write over' | 'attach', connection: IscsiConnection, signal: AbortSignal): Promise<void> {
    await this.#parts.releaser.requireUnused({ connection, ifaces: ifaceNamesOf(this.#plan), doing }, signal);
  }

  /** One look, which sees those that only pass by too: `requireUnused` tells them apart. */
  async isOpen({ device, paths }: ConnectedVolume, signal: AbortSignal): Promise<boolean> {
    const { devices, maps } = this.#parts;
    if (device.kind === 'multipath' && (await maps.usersNow(device, signal)).length > 0) return true;
    const members = device.kind === 'multipath' ? device.members.map(({ path }) => path) : [];
    const disks = paths.map(({ disk }) => disk).filter((path) => !members.includes(path));
    const users = await Promise.all(disks.map(async (path) => await devices.usersNow({ path }, signal)));
    return users.flat().length > 0;
  }

  async release(connection: IscsiConnection, options: DisconnectOptions, signal: AbortSignal): Promise<ReleasedVolume> {
    const { clock, events, releaser } = this.#parts;
    const began = clock.now();
    const { wwid, ...released } = await releaser.release(connection, ifaceNamesOf(this.#plan), options, signal);
    events.emit({
      kind: 'volume-disconnected',
      wwid,
      found: released.found,
      durationMs: clock.now() - began,
    });
    return released;
  }
}
