import type { Logger } from '../base/logger.js';
import { VolumeError } from '../base/volume-error.js';
import type { IscsiConnection } from '../connection/iscsi-connection.js';
import type { LinuxBlockDevices } from '../device/linux-block-devices.js';
import type { OpenIscsiInitiator } from '../initiator/open-iscsi-initiator.js';
import { isSessionOf } from '../initiator/session.js';
import type { IfacePlan } from './volume-connector.js';
import { ifacesOf } from './volume-connector.js';
import { type DisconnectStep, type PathView, planDisconnect } from './plan-disconnect.js';
import type { DisconnectOptions, ReleasedVolume } from './volume-driver.js';

export interface ReleaserParts {
  readonly initiator: OpenIscsiInitiator;
  readonly devices: LinuxBlockDevices;
  readonly logger: Logger;
}

/** The road back: observe, plan, execute. Everything here runs under the locks of the connection's targets. */
export class VolumeReleaser {
  readonly #parts: ReleaserParts;

  constructor(parts: ReleaserParts) {
    this.#parts = parts;
  }

  async release(connection: IscsiConnection, plan: IfacePlan, { force = false }: DisconnectOptions, signal: AbortSignal): Promise<ReleasedVolume> {
    const views = await this.#observe(connection, plan);
    requireOneVolume(views);
    await this.#requireUnused(views, signal);
    const failures: unknown[] = [];
    let found = views.some(({ unit }) => unit !== undefined);
    for (const step of planDisconnect(views)) {
      try {
        found = (await this.#execute(step, signal)) || found;
      } catch (error) {
        if (!force) throw error;
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new VolumeError('CLEANUP_INCOMPLETE', `Cannot remove all of the volume: ${failures.length} steps failed`, { cause: new AggregateError(failures) });
    return { found, warnings: [] };
  }

  async #observe({ paths }: IscsiConnection, plan: IfacePlan): Promise<readonly PathView[]> {
    const { devices, initiator } = this.#parts;
    const sessions = await initiator.sessions();
    const keys = ifacesOf(plan).flatMap((iface) => paths.map(({ lun, ...path }) => ({ key: { ...path, iface: iface.name }, lun })));
    return await Promise.all(
      keys.map(async ({ key, lun }): Promise<PathView> => {
        const session = sessions.find((candidate) => isSessionOf(candidate, key));
        if (session === undefined) return { key, session, unit: undefined, otherUnits: 0, mayEnd: 'never' };
        const unit = await devices.findUnit(session, lun);
        const otherUnits = (await devices.countUnits(session)) - (unit === undefined ? 0 : 1);
        return { key, session, unit, otherUnits, mayEnd: await initiator.mayEnd(key) };
      }),
    );
  }

  /** A disk that somebody has open is left as it is, by force too: what is written to it after that would be lost in silence. */
  async #requireUnused(views: readonly PathView[], signal: AbortSignal): Promise<void> {
    for (const { session, unit } of views) {
      if (session === undefined || unit?.path === undefined) continue;
      const { address, path } = unit;
      const users = await this.#parts.devices.usersOf(session, { address, path }, signal);
      if (users.length === 0) continue;
      const names = users.map(({ name, pid }) => (pid === 0 ? name : `${name} (pid ${pid})`)).join(', ');
      throw new VolumeError('DEVICE_IN_USE', `Cannot remove ${path}: ${names} has it open`, {
        hint: 'detach it from the guest, unmount it, or end the process first',
        details: { device: path, users },
      });
    }
  }

  /** @returns whether there was anything to do */
  async #execute(step: DisconnectStep, signal: AbortSignal): Promise<boolean> {
    const { devices, initiator } = this.#parts;
    switch (step.kind) {
      case 'flush':
        await devices.flush(step.disk, signal);
        return true;
      case 'remove':
        await devices.remove(step.session, step.address, signal);
        return true;
      case 'logout':
        await initiator.logout(step.session, signal);
        return true;
      case 'forget':
        return await initiator.forget(step.key, signal);
      default:
        return step satisfies never;
    }
  }
}

/** Every path must show the same unit, else one of them is somebody else's. */
function requireOneVolume(views: readonly PathView[]): void {
  const wwids = new Set(views.flatMap(({ unit }) => unit?.disk?.wwid ?? []));
  if (wwids.size > 1) {
    throw new VolumeError('DEVICE_MISMATCH', `Cannot tell which disk is the volume: its paths show ${[...wwids].join(' and ')}`, { details: { wwids: [...wwids] } });
  }
}
