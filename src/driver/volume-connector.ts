import { errorChain } from '../base/error-chain.js';
import type { Logger } from '../base/logger.js';
import { isVolumeError, VolumeError, type VolumeErrorCode } from '../base/volume-error.js';
import type { IscsiConnection } from '../connection/iscsi-connection.js';
import type { Portal } from '../connection/portal.js';
import type { ScsiDisk } from '../device/block-device.js';
import type { Hardware } from '../iface/hardware.js';
import type { Iface } from '../iface/iface.js';
import { DEFAULT_IFACE } from '../iface/iface-name.js';
import type { IfaceRecords } from '../iface/make-iface.js';
import { verifyIface } from '../iface/verify-iface.js';
import { isSessionOf } from '../initiator/session.js';
import type { ConnectedVolume, TransportChoice } from './connected-volume.js';
import { FailedTransports } from './failed-transports.js';
import { type OpenerParts, type OpenPath, PathOpener } from './path-opener.js';
import { UNDO_MS, UndoLog } from './undo-log.js';

export interface ConnectorParts extends OpenerParts {
  readonly logger: Logger;
  readonly ifaceRecords: IfaceRecords;
  /** Looks at the host's hardware as it is now. */
  readonly hardware: () => Promise<Hardware>;
}

/** Failures of the transport itself. A wrong password, a refusal or a missing target would meet TCP as well, and must not be hidden by it. */
const TRANSPORT_FAILURES: readonly VolumeErrorCode[] = ['TRANSPORT_UNAVAILABLE', 'TRANSPORT_MISMATCH', 'PORTAL_UNREACHABLE'];

/** Which iface to use, and which instead when its transport cannot work. */
export interface IfacePlan {
  readonly requested: Iface;
  /** The requested iface has no record yet. */
  readonly isNew: boolean;
  readonly fallback: Iface | undefined;
}

/** The volume, and whether this call is what brought it to the host. */
export interface OpenedVolume {
  readonly volume: ConnectedVolume;
  readonly opened: boolean;
}

/** The road from a connection to a block device. Everything here runs under the locks of the connection's targets. */
export class VolumeConnector {
  readonly #parts: ConnectorParts;
  readonly #failed: FailedTransports;
  readonly #opener: PathOpener;

  constructor(parts: ConnectorParts) {
    this.#parts = parts;
    this.#failed = new FailedTransports(parts);
    this.#opener = new PathOpener(parts);
  }

  /** The volume as it is on this host now, whatever iface of the plan it came over. */
  async find(connection: IscsiConnection, plan: IfacePlan): Promise<ConnectedVolume | undefined> {
    const present = await this.#present(connection, plan);
    return present === undefined ? undefined : connected(present, chose(plan, present.iface));
  }

  /**
   * Gives the volume that is there, asked anew who it is; else opens the first path that works, over the requested iface, or over the
   * fallback when the transport itself cannot work, and says so. What a failed path left is undone before the next is tried.
   */
  async open(connection: IscsiConnection, plan: IfacePlan, signal: AbortSignal): Promise<OpenedVolume> {
    const present = await this.#present(connection, plan);
    const disk = present === undefined ? undefined : await this.#refreshed(present, signal);
    if (present !== undefined && disk !== undefined) return { volume: connected({ ...present, disk }, chose(plan, present.iface)), opened: false };
    return { volume: await this.#openWithFallback(connection, plan, signal), opened: true };
  }

  /**
   * The disk that is there, once it has said again who it is. Where the array has put another volume under the LUN since, a disk that somebody
   * still uses is refused, and one that nobody uses is taken away, so that it comes anew as what it is.
   */
  async #refreshed({ path, session, disk }: OpenPath, signal: AbortSignal): Promise<ScsiDisk | undefined> {
    const { devices, logger } = this.#parts;
    const now = await devices.refresh(session, path.lun, disk, signal);
    if (now === undefined || now.wwid === disk.wwid) return now;
    const users = await devices.usersOf(session, now, signal);
    if (users.length > 0) {
      throw new VolumeError('DEVICE_MISMATCH', `Cannot use ${now.path}: its LUN is now ${now.wwid ?? 'a unit without a name'}, and ${users.map(({ name }) => name).join(', ')} has it open as ${disk.wwid ?? 'a unit without a name'}`, {
        hint: 'the storage put another volume under a LUN that is in use: detach what uses it first',
        details: { device: now.path, before: disk.wwid, now: now.wwid, users },
      });
    }
    logger.warn('Another volume is under a LUN that was left behind', { path: now.path, before: disk.wwid, now: now.wwid });
    await devices.remove(session, now.address, signal);
    return undefined;
  }

  async #present({ paths }: IscsiConnection, plan: IfacePlan): Promise<(OpenPath & { readonly iface: Iface }) | undefined> {
    const sessions = await this.#parts.initiator.sessions();
    for (const iface of ifacesOf(plan)) {
      for (const path of paths) {
        const session = sessions.find((candidate) => isSessionOf(candidate, { ...path, iface: iface.name }));
        const disk = session === undefined ? undefined : await this.#parts.devices.find(session, path.lun);
        if (session !== undefined && disk !== undefined) return { path, session, disk, iface };
      }
    }
    return undefined;
  }

  async #openWithFallback(connection: IscsiConnection, plan: IfacePlan, signal: AbortSignal): Promise<ConnectedVolume> {
    const { requested, fallback } = plan;
    const { portal } = connection.paths[0];
    const recalled = fallback === undefined ? undefined : this.#failed.recall(requested.name, portal);
    try {
      if (recalled !== undefined) throw recalled;
      await this.#requireUsable(requested, portal);
      return await this.#withRecord(plan, signal, async () => connected(await this.#opener.open(connection, requested, signal), chose(plan, requested)));
    } catch (error) {
      if (fallback === undefined || !isVolumeError(error, ...TRANSPORT_FAILURES)) throw error;
      const why = { code: reasonCodeOf(error), reason: errorChain(error) };
      this.#parts.logger.warn('Falling back to another transport', { requested: requested.name, used: fallback.name, ...why });
      const volume = await this.#openInstead(connection, { requested: requested.name, used: fallback.name, fallback: why }, { iface: fallback, first: error }, signal);
      if (error !== recalled && error.details['reasonCode'] === undefined) this.#failed.remember(requested.name, portal, error);
      return volume;
    }
  }

  /** An iface without a record gets one for the volume, and for those after it; not when the volume cannot be opened over it. */
  async #withRecord(plan: IfacePlan, signal: AbortSignal, body: () => Promise<ConnectedVolume>): Promise<ConnectedVolume> {
    if (!plan.isNew) return await body();
    const { ifaceRecords, logger } = this.#parts;
    const change = await ifaceRecords.put(plan.requested, signal);
    const undo = new UndoLog();
    if (change.kind === 'created') {
      logger.info('Made an iface record', { iface: change.name, transport: plan.requested.transport });
      undo.add(async () => { await ifaceRecords.remove(change.name, AbortSignal.timeout(UNDO_MS)); });
    }
    try {
      return await body();
    } catch (error) {
      throw await undo.after(error);
    }
  }

  async #openInstead(connection: IscsiConnection, choice: TransportChoice, { iface, first }: { readonly iface: Iface; readonly first: VolumeError }, signal: AbortSignal): Promise<ConnectedVolume> {
    try {
      return connected(await this.#opener.open(connection, iface, signal), choice);
    } catch (error) {
      if (!isVolumeError(error)) throw error;
      const { code, hint, details, message } = error;
      throw new VolumeError(code, `${message}; before that, the iface ${choice.requested} failed`, { cause: new AggregateError([error.cause ?? error, first]), details, ...(hint === undefined ? {} : { hint }) });
    }
  }

  /** What the hardware tells, before a login is tried. Software TCP without a binding needs none. */
  async #requireUsable(iface: Iface, portal: Portal): Promise<void> {
    if (iface.name === DEFAULT_IFACE) return;
    const verdict = verifyIface(iface, await this.#parts.hardware(), portal);
    if (verdict.kind === 'usable') return;
    const { code, reason, mend } = verdict;
    throw new VolumeError('TRANSPORT_UNAVAILABLE', `Cannot use the iface ${iface.name}: ${reason}`, { details: { iface: iface.name, reasonCode: code }, ...(mend === undefined ? {} : { hint: mend }) });
  }
}

export function ifacesOf({ requested, fallback }: IfacePlan): readonly Iface[] {
  return fallback === undefined || fallback.name === requested.name ? [requested] : [requested, fallback];
}

/** The hardware's own word where it was the hardware that refused. */
function reasonCodeOf({ code, details }: VolumeError): string {
  return typeof details['reasonCode'] === 'string' ? details['reasonCode'] : code;
}

function chose({ requested }: IfacePlan, used: Iface): TransportChoice {
  const fallback = used.name === requested.name ? undefined : { code: 'TRANSPORT_UNAVAILABLE', reason: `the volume was connected over ${used.name} before` };
  return { requested: requested.name, used: used.name, fallback };
}

function connected({ path: { target, portal, lun }, session, disk }: OpenPath, transport: TransportChoice): ConnectedVolume {
  const path = { disk: disk.path, portal, target, lun, iface: session.iface, transport: session.transport, session: session.id };
  return { device: disk, paths: [path], transport, warnings: warningsOf(disk, transport) };
}

function warningsOf({ path, wwid }: ScsiDisk, { requested, used, fallback }: TransportChoice): readonly string[] {
  return [
    ...(fallback === undefined ? [] : [`${used} is used and not ${requested}: ${fallback.reason}`]),
    ...(wwid === undefined ? [`${path} does not say who it is (no VPD page 0x83): that it stays the same volume cannot be checked`] : []),
  ];
}
