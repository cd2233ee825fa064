import { isNonEmpty } from '../base/brand.js';
import type { Logger } from '../base/logger.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { IscsiConnection } from '../connection/iscsi-connection.js';
import type { DeviceUser } from '../host/device-users.js';
import type { IfaceName } from '../iface/iface-name.js';
import type { Session } from '../initiator/session.js';
import { observeVolume, type VolumeView } from './observe-volume.js';
import { type DisconnectStep, planDisconnect } from './plan-disconnect.js';
import { type IdentityParts, verifyIdentity } from './verify-identity.js';
import { requireOneVolume } from './require-one-volume.js';
import { requireOwnMap, strangeMembers } from './strange-members.js';
import type { DisconnectOptions, ReleasedVolume } from './released-volume.js';
import { isOfAnother, unitsOf } from './volume-units.js';

export interface DisconnectorParts extends IdentityParts {
  readonly logger: Logger;
}

interface FailedStep {
  readonly step: DisconnectStep;
  readonly error: unknown;
}

/** What does all that it says; before a logout the kernel is asked again. */
type DeedStep = Exclude<DisconnectStep, { readonly kind: 'logout' }>;

/** What nobody may have the volume open for. */
type Doing = 'remove' | 'write over' | 'attach';

interface Use {
  readonly connection: IscsiConnection;
  readonly ifaces: readonly IfaceName[];
  readonly doing: Doing;
  readonly wwid?: string | undefined;
}

/** The road back: observe, plan, execute. Everything here runs under the locks of the connection's targets. */
export class VolumeDisconnector {
  readonly #parts: DisconnectorParts;

  constructor(parts: DisconnectorParts) {
    this.#parts = parts;
  }

  async release(
    connection: IscsiConnection,
    ifaces: readonly IfaceName[],
    { force = false, wwid }: DisconnectOptions,
    signal: AbortSignal,
  ): Promise<ReleasedVolume & { readonly wwid: string | undefined }> {
    await this.#settleKilled(connection, signal);
    const view = await this.#unused(
      await this.#proven(connection, ifaces, wwid, signal),
      { connection, ifaces, doing: 'remove', wwid },
      signal,
    );
    const failed: FailedStep[] = [];
    const kept: Session[] = [];
    let found = view.paths.some(({ unit }) => unit !== undefined);
    for (const step of planDisconnect(view, force)) {
      // what is left is found by it
      if (step.kind === 'drop-note' && failed.some((one) => isRemoval(one.step))) continue;
      try {
        found =
          (step.kind === 'logout'
            ? await this.#endIdle(step.sessions, kept, signal)
            : await this.#execute(step, signal)) || found;
      } catch (error) {
        if (!force || signal.aborted) throw error;
        failed.push({ step, error });
      }
    }
    const failures = await this.#failuresLeft(failed, signal);
    if (failures.length > 0)
      throw new VolumeError('CLEANUP_INCOMPLETE', `Cannot remove all of the volume: ${failures.length} steps failed`, {
        cause: new AggregateError(failures),
      });
    await this.#parts.notes.dropArrival(view.units);
    return {
      found,
      warnings: [...warningsOf(view), ...kept.map(keptWarning)],
      wwid:
        view.paths.find(({ unit }) => unit?.disk !== undefined)?.unit?.disk?.wwid ??
        (found ? view.note?.wwid : undefined),
    };
  }

  /** A connect() that was killed may have left an iscsiadm that goes on, and would make its session after our look. */
  async #settleKilled(connection: IscsiConnection, signal: AbortSignal): Promise<void> {
    const { initiator, logger, notes } = this.#parts;
    const units = unitsOf(connection);
    const arrival = await notes.findArrival(units);
    if (arrival === undefined || arrival.arrived) return;
    const targets = units.map(({ target }) => target);
    if (!(await initiator.whenNoneIsPending(targets, signal)))
      logger.warn('An iscsiadm of a process that was killed goes on: its session may come later', { targets });
  }

  /**
   * A map that something waited on, for paths that were all dead, can go once those are gone: that is tried once more,
   * and made good when it does.
   */
  async #failuresLeft(failed: readonly FailedStep[], signal: AbortSignal): Promise<readonly unknown[]> {
    const left: unknown[] = [];
    for (const { step, error } of failed) {
      if (step.kind === 'remove-map' && (await this.#isDone(step, signal))) continue;
      left.push(error);
    }
    return left;
  }

  async #isDone(step: DeedStep, signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#execute(step, signal);
    } catch {
      return false; // the first failure says why
    }
  }

  /** @throws {VolumeError} `DEVICE_IN_USE` when somebody has a device of the volume open; `DEVICE_MISMATCH` */
  async requireUnused({ connection, ifaces, doing }: Omit<Use, 'wwid'>, signal: AbortSignal): Promise<void> {
    const view = await this.#proven(connection, ifaces, undefined, signal);
    requireOwnMap(doing, view);
    await this.#unused(view, { connection, ifaces, doing }, signal);
  }

  /**
   * That what is there is the volume of that WWID; quiet when nothing is there.
   * @throws {VolumeError} `DEVICE_MISMATCH`
   */
  async verifyIdentity(
    connection: IscsiConnection,
    ifaces: readonly IfaceName[],
    wwid: string,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#proven(connection, ifaces, wwid, signal);
  }

  async #proven(
    connection: IscsiConnection,
    ifaces: readonly IfaceName[],
    wwid: string | undefined,
    signal: AbortSignal,
  ): Promise<VolumeView> {
    const view = await observeVolume(connection, ifaces, this.#parts, wwid);
    if (wwid === undefined) requireNotAnother(view, connection);
    else await verifyIdentity(view, wwid, this.#parts, signal);
    requireOneVolume(view.paths.flatMap(({ unit }) => unit?.disk ?? []));
    return view;
  }

  /**
   * The view, when nobody uses the volume. multipathd may have put a map over its disk since we looked: that is no use,
   * and goes with it.
   */
  async #unused(view: VolumeView, request: Use, signal: AbortSignal): Promise<VolumeView> {
    try {
      await this.#requireUnused(view, request.doing, signal);
      return view;
    } catch (error) {
      const { connection, ifaces, wwid } = request;
      const now =
        view.map === undefined && isVolumeError(error, 'DEVICE_IN_USE')
          ? await this.#proven(connection, ifaces, wwid, signal)
          : view;
      if (now.map === view.map) throw error;
      return await this.#unused(now, request, signal);
    }
  }

  /**
   * A device that somebody has open is left as it is, by force too: what is written to it after that would be lost in
   * silence.
   */
  async #requireUnused({ paths, map, strangers }: VolumeView, doing: Doing, signal: AbortSignal): Promise<void> {
    const { devices, maps } = this.#parts;
    const users = map === undefined ? [] : await maps.usersOf(map, signal);
    if (map !== undefined && users.length > 0 && strangers.length > 0)
      throw strangeMembers(doing, map, strangers, users);
    if (map !== undefined) requireNone(doing, map.path, users);
    const members = new Set(map?.members.map(({ path }) => path));
    for (const { session, unit } of paths) {
      if (session === undefined || unit?.path === undefined || members.has(unit.path)) continue;
      const { address, path } = unit;
      requireNone(doing, path, await devices.usersOf(session, { address, path }, signal));
    }
  }

  /**
   * Another tool may have scanned a unit into a session since we looked: the kernel is asked again right before.
   * @param kept gets the sessions that stay
   */
  async #endIdle(sessions: readonly Session[], kept: Session[], signal: AbortSignal): Promise<boolean> {
    const { devices, initiator, logger } = this.#parts;
    const idle: Session[] = [];
    for (const session of sessions) {
      const units = await devices.countUnits(session);
      if (units > 0) logger.warn('A session stays: a unit came to it meanwhile', { session: session.id, units });
      (units > 0 ? kept : idle).push(session);
    }
    if (isNonEmpty(idle)) await initiator.logoutAll(idle, signal);
    return true;
  }

  /** @returns whether there was anything to do */
  async #execute(step: DeedStep, signal: AbortSignal): Promise<boolean> {
    const { devices, initiator, maps, notes } = this.#parts;
    switch (step.kind) {
      case 'stop-queueing':
        await maps.stopQueueing(step.map, signal);
        return true;
      case 'flush-map':
        await devices.flush(step.map, signal);
        return true;
      case 'remove-map':
        await maps.remove(step.map, signal);
        return true;
      case 'flush':
        await devices.flush(step.disk, signal);
        return true;
      case 'remove':
        await devices.remove(step.session, step.address, signal);
        return true;
      case 'leave-map':
        await maps.takeOut(step.map, step.disk, signal);
        return true;
      case 'forget-disks':
        await maps.forgetDisks(step.disks, signal);
        return true;
      case 'forget-ids':
        await maps.forgetIds(step.ids, signal);
        return false;
      case 'forget':
        return await initiator.forget(step.key, signal);
      case 'drop-note':
        await notes.drop(step.units);
        return false;
      default:
        return step satisfies never;
    }
  }
}

/**
 * The storage may have given the LUN to another volume, which was connected since.
 * @throws {VolumeError} `DEVICE_MISMATCH`
 */
function requireNotAnother({ note, paths, map }: VolumeView, connection: IscsiConnection): void {
  if (note === undefined || !isOfAnother(note, connection)) return;
  const isHere =
    (map !== undefined && map.id === note.mapId) || paths.some(({ unit }) => unit?.disk?.wwid === note.wwid);
  if (!isHere) return; // an older version of this library may have disconnected it, and left the note
  throw new VolumeError(
    'DEVICE_MISMATCH',
    `Cannot disconnect the volume ${connection.volumeId ?? ''}: what is connected under its LUN is the volume ` +
      (note.volumeId ?? ''),
    {
      hint: 'nothing was touched: the storage has given the LUN to another volume since',
      details: { found: note.volumeId, expected: connection.volumeId, wwid: note.wwid },
    },
  );
}

function keptWarning({ id, target }: Session): string {
  return `the session ${id} to ${target} stays: a unit that is not the volume's came to it meanwhile`;
}

/** Whether something of the volume is still there when the step has failed. */
function isRemoval({ kind }: DisconnectStep): boolean {
  return kind === 'remove-map' || kind === 'remove' || kind === 'leave-map' || kind === 'forget-ids';
}

function warningsOf({ map, strangers }: VolumeView): readonly string[] {
  return map === undefined || strangers.length === 0
    ? []
    : [
        `the map ${map.name} stays for what is not the volume's: ` +
          strangers.map(({ device, origin }) => `${device} (${origin})`).join(', '),
      ];
}

function requireNone(doing: Doing, device: string, users: readonly DeviceUser[]): void {
  if (users.length === 0) return;
  const names = users.map(({ name, pid }) => (pid === 0 ? name : `${name} (pid ${pid})`)).join(', ');
  throw new VolumeError('DEVICE_IN_USE', `Cannot ${doing} ${device}: ${names} has it open`, {
    hint: 'detach it from the guest, unmount it, or end the process first',
    details: { device, users },
  });
}
