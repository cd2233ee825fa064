import { isNonEmpty, type NonEmpty } from '../base/brand.js';
import { errorChain } from '../base/error-chain.js';
import type { Logger } from '../base/logger.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { VolumeOptions } from '../config/options.js';
import type { IscsiConnection } from '../connection/iscsi-connection.js';
import { formatPortal, type Portal, samePortal } from '../connection/portal.js';
import type { TargetPath } from '../connection/target-path.js';
import type { VolumeEvents } from '../events/volume-events.js';
import { checkReversePath } from '../iface/check-reverse-path.js';
import type { Hardware } from '../iface/hardware.js';
import type { Iface } from '../iface/iface.js';
import { DEFAULT_IFACE } from '../iface/iface-name.js';
import type { IfaceRecords } from '../iface/make-iface.js';
import { readReversePath } from '../iface/read-reverse-path.js';
import type { PortalSearch } from '../initiator/discover-portals.js';
import type { ConnectedVolume } from './connected-volume.js';
import { describeVolume, fallbackOfPresent, type OpenVolume } from './describe-volume.js';
import { FailedTransports, type FailedTransportsParts } from './failed-transports.js';
import { type IfacePlan, ifaceNamesOf, requestOf } from './iface-plan.js';
import { MultipathOpener } from './multipath-opener.js';
import { type ObserverParts, observeVolume, type VolumeView } from './observe-volume.js';
import { type OpenerParts, type OpenPath, PathOpener, type Way } from './path-opener.js';
import { presentPaths, refreshedPaths } from './present-paths.js';
import { isTransportFailure } from './transport-failure.js';
import { UNDO_MS, UndoLog } from './undo-log.js';
import { usableWays } from './usable-ways.js';
import { wantedMap } from './wanted-map.js';

export interface ConnectorParts extends OpenerParts, ObserverParts, FailedTransportsParts {
  readonly logger: Logger;
  readonly events: VolumeEvents;
  readonly ifaceRecords: IfaceRecords;
  /** Looks at the host's hardware as it is now. */
  readonly hardware: () => Promise<Hardware>;
  /** Asks a portal for all portals of a target. */
  readonly discover: (search: PortalSearch, signal: AbortSignal) => Promise<readonly Portal[]>;
  readonly options: Pick<VolumeOptions, 'useMultipath' | 'enforceMultipath' | 'stateDirectory'>;
}

/** What is looked at for software TCP without a binding: nothing. */
const UNSEEN: Hardware = {
  transports: new Set(), loadedModules: new Set(), loadableModules: new Set(), pci: [], hosts: [], netDevices: [], rdmaPorts: [], iscsiuioRuns: false,
};

/** The volume, and whether this call is what brought it to the host. */
export interface OpenedVolume {
  readonly volume: ConnectedVolume;
  readonly opened: boolean;
  /** When the logins have ended that nobody waited for; `undefined` when there are none. */
  readonly late: Promise<void> | undefined;
}

/** One path, or all of them under a map. */
type Mode = { readonly kind: 'single'; readonly warnings: readonly string[] } | { readonly kind: 'multipath' };

interface Opened extends OpenVolume {
  readonly late: Promise<void> | undefined;
}

/** The road from a connection to a block device. Everything here but find() runs under the locks of the connection's targets. */
export class VolumeConnector {
  readonly #parts: ConnectorParts;
  readonly #failed: FailedTransports;
  readonly #opener: PathOpener;
  readonly #multipath: MultipathOpener;

  constructor(parts: ConnectorParts) {
    this.#parts = parts;
    this.#failed = new FailedTransports(parts);
    this.#opener = new PathOpener(parts);
    this.#multipath = new MultipathOpener({ ...parts, opener: this.#opener });
  }

  /** The volume as it is on this host now, whatever iface it came over. */
  async find(connection: IscsiConnection, plan: IfacePlan): Promise<ConnectedVolume | undefined> {
    const view = await this.#observe(connection, plan);
    const paths = presentPaths(view);
    return isNonEmpty(paths) ? describeVolume(this.#asOpen(paths, view), plan, fallbackOfPresent(paths, plan)) : undefined;
  }

  /**
   * Gives the volume that is there, asked anew who it is, with the paths that it lacks; else opens it over the requested ifaces, or over the fallback
   * when their transport itself cannot work, and says so. All paths run over the one or over the other. What failed is undone.
   */
  async open(connection: IscsiConnection, plan: IfacePlan, signal: AbortSignal): Promise<OpenedVolume> {
    const mode = await this.#mode(connection);
    const view = await this.#observe(connection, plan);
    const present = await refreshedPaths(view, this.#parts, signal);
    if (isNonEmpty(present)) {
      const fallback = fallbackOfPresent(present, plan);
      const { late, ...open } = mode.kind === 'single' ? { ...this.#asOpen(present, view), late: undefined } : await this.#complete(connection, plan, present, signal);
      return { volume: describeVolume(open, plan, fallback), opened: false, late };
    }
    return { ...(await this.#openWithFallback(connection, plan, mode, signal)), opened: true };
  }

  /** After a login that nobody waited for has ended: its path joins the volume, or goes where the volume is gone. */
  async join(connection: IscsiConnection, plan: IfacePlan, signal: AbortSignal): Promise<void> {
    const view = await this.#observe(connection, plan);
    if (presentPaths(view).length > 0) {
      await this.open(connection, plan, signal);
      return;
    }
    for (const { key, session, unit, otherUnits, mayEnd } of view.paths) {
      if (session === undefined) await this.#parts.initiator.forget(key, signal);
      else if (unit === undefined && otherUnits === 0 && mayEnd === 'always') await this.#parts.initiator.logout(session, signal);
    }
  }

  async #observe(connection: IscsiConnection, plan: IfacePlan): Promise<VolumeView> {
    return await observeVolume(connection, ifaceNamesOf(plan), this.#parts);
  }

  #asOpen(paths: NonEmpty<OpenPath>, view: VolumeView): OpenVolume {
    const map = wantedMap(view, paths.length, this.#parts.options);
    return { paths: map === undefined ? [paths[0]] : paths, map, warnings: [] };
  }

  async #mode({ enforceMultipath }: IscsiConnection): Promise<Mode> {
    if (!this.#parts.options.useMultipath) return { kind: 'single', warnings: [] };
    if (await this.#parts.maps.isRunning()) return { kind: 'multipath' };
    if (this.#enforces({ enforceMultipath })) {
      throw new VolumeError('MULTIPATH_UNAVAILABLE', 'Cannot connect the volume over several paths: multipathd does not run', { hint: 'systemctl start multipathd' });
    }
    this.#parts.logger.warn('The volume is connected over one path, as multipathd does not run');
    return { kind: 'single', warnings: ['the volume has one path only: multipathd does not run (systemctl start multipathd)'] };
  }

  #enforces({ enforceMultipath }: Pick<IscsiConnection, 'enforceMultipath'>): boolean {
    return this.#parts.options.enforceMultipath || enforceMultipath;
  }

  /** The paths that a volume lacks, over the ifaces that it runs over: over the fallback alone where it fell back. */
  async #complete(connection: IscsiConnection, plan: IfacePlan, present: NonEmpty<OpenPath>, signal: AbortSignal): Promise<Opened> {
    const requested = plan.requested.map(({ iface }) => iface);
    const runsOver = (iface: Iface): boolean => present.some(({ session }) => session.iface === iface.name);
    const ifaces = requested.some(runsOver) ? requested : [plan.fallback].flatMap((iface) => (iface !== undefined && runsOver(iface) ? [iface] : []));
    const { ways } = usableWays(ifaces, connection.paths, await this.#hardwareFor(ifaces));
    const missing = ways.filter(({ path, iface }) => !present.some(({ path: open, session }) => session.iface === iface.name && isSamePath(open, path)));
    return await this.#multipath.open(missing, { chap: connection.chap, present, enforce: this.#enforces(connection) }, signal);
  }

  async #openWithFallback(connection: IscsiConnection, plan: IfacePlan, mode: Mode, signal: AbortSignal): Promise<Omit<OpenedVolume, 'opened'>> {
    const { fallback } = plan;
    try {
      const { late, ...open } = await this.#openOver(connection, plan, mode, signal);
      return { volume: describeVolume(open, plan, undefined), late };
    } catch (error) {
      if (fallback === undefined || !isTransportFailure(error)) throw error;
      const why = { code: reasonCodeOf(error), reason: errorChain(error) };
      this.#parts.logger.warn('Falling back to another transport', { requested: requestOf(plan), used: fallback.name, ...why });
      const { late, ...open } = await this.#openInstead(connection, fallback, mode, { plan, first: error }, signal);
      const [{ target, portal }] = connection.paths;
      this.#parts.events.emit({ kind: 'transport-fallback', requested: requestOf(plan), used: fallback.name, ...why, target, portal: formatPortal(portal) });
      await this.#remember(plan, connection, error);
      return { volume: describeVolume(open, plan, why), late };
    }
  }

  /** Over the requested ifaces that can work. Those that cannot are told of; where none can, there is nothing to open. */
  async #openOver(connection: IscsiConnection, plan: IfacePlan, mode: Mode, signal: AbortSignal): Promise<Opened> {
    const ifaces = plan.requested.map(({ iface }) => iface);
    const hardware = await this.#hardwareFor(ifaces);
    const known = usableWays(ifaces, connection.paths, hardware);
    if (!isNonEmpty(known.ways)) throw noneOf(ifaces, known.refusals);
    if (plan.fallback !== undefined) await this.#requireWorthATry(ifaces, connection);
    const { paths, warnings: undiscovered } = await this.#allPaths(connection, known.ways[0].iface, mode, signal);
    const { ways, refusals } = paths.length === connection.paths.length ? known : usableWays(ifaces, paths, hardware);
    if (!isNonEmpty(ways)) throw noneOf(ifaces, refusals);
    const warnings = [...plan.requested.flatMap(({ note }) => note ?? []), ...undiscovered, ...refusals.map(({ message }) => message), ...(await this.#reversePathWarnings(ifaces, hardware))];
    for (const reason of warnings) this.#parts.logger.warn('Not every iface can be used as it is', { reason });
    const opened = await this.#withRecords(plan, ways, signal, async () => await this.#openWays(ways, connection, mode, signal));
    return { ...opened, warnings: [...warnings, ...opened.warnings] };
  }

  async #openWays(ways: NonEmpty<Way>, connection: IscsiConnection, mode: Mode, signal: AbortSignal): Promise<Opened> {
    const { chap } = connection;
    switch (mode.kind) {
      case 'single':
        return { paths: [await this.#opener.openFirst(ways, chap, signal)], map: undefined, warnings: mode.warnings, late: undefined };
      case 'multipath':
        return await this.#multipath.open(ways, { chap, present: [], enforce: this.#enforces(connection) }, signal);
      default:
        return mode satisfies never;
    }
  }

  async #openInstead(connection: IscsiConnection, iface: Iface, mode: Mode, { plan, first }: { readonly plan: IfacePlan; readonly first: VolumeError }, signal: AbortSignal): Promise<Opened> {
    try {
      const { paths: [path, ...others], warnings } = await this.#allPaths(connection, iface, mode, signal);
      const opened = await this.#openWays([{ path, iface }, ...others.map((other) => ({ path: other, iface }))], connection, mode, signal);
      return { ...opened, warnings: [...warnings, ...opened.warnings] };
    } catch (error) {
      if (!isVolumeError(error)) throw error;
      const { code, hint, details, message } = error;
      throw new VolumeError(code, `${message}; before that, the iface ${requestOf(plan)} failed`, { cause: new AggregateError([error.cause ?? error, first]), details, ...(hint === undefined ? {} : { hint }) });
    }
  }

  /** An iface without a record gets one for the volume, and for those after it; not when the volume cannot be opened over it. */
  async #withRecords(plan: IfacePlan, ways: readonly Way[], signal: AbortSignal, body: () => Promise<Opened>): Promise<Opened> {
    const { ifaceRecords, logger } = this.#parts;
    const undo = new UndoLog();
    try {
      for (const { iface, isNew } of plan.requested) {
        if (!isNew || !ways.some((way) => way.iface === iface)) continue;
        const change = await ifaceRecords.put(iface, signal);
        if (change.kind !== 'created') continue;
        logger.info('Made an iface record', { iface: change.name, transport: iface.transport });
        undo.add(async () => { await ifaceRecords.remove(change.name, AbortSignal.timeout(UNDO_MS)); });
      }
      return await body();
    } catch (error) {
      throw await undo.after(error);
    }
  }

  /**
   * The listed paths; and where one portal is named and all are wanted, those through the target's other portals. Only portals of this very target: others of the array may
   * be of other volumes. A portal that does not tell costs no volume.
   */
  async #allPaths({ paths, namesOnePortal, discoveryChap }: IscsiConnection, iface: Iface, mode: Mode, signal: AbortSignal): Promise<{ readonly paths: NonEmpty<TargetPath>; readonly warnings: readonly string[] }> {
    if (mode.kind === 'single' || !namesOnePortal) return { paths, warnings: [] };
    const [first] = paths;
    try {
      const portals = await this.#parts.discover({ portal: first.portal, target: first.target, iface: iface.name, chap: discoveryChap }, signal);
      const others = portals.filter((portal) => !paths.some((path) => samePortal(path.portal, portal)));
      return { paths: [...paths, ...others.map((portal) => ({ ...first, portal }))], warnings: [] };
    } catch (error) {
      if (!isVolumeError(error) || error.code === 'ABORTED') throw error;
      return { paths, warnings: [`the other portals of the target are not known: ${errorChain(error)}`] };
    }
  }

  /** Settings of the kernel that break the sessions of several NICs in one network. */
  async #reversePathWarnings(ifaces: readonly Iface[], hardware: Hardware): Promise<readonly string[]> {
    if (ifaces.length < 2) return [];
    const settings = await readReversePath(this.#parts.files, hardware.netDevices.map(({ name }) => name));
    return settings === undefined ? [] : checkReversePath(ifaces, hardware, settings).map(({ reason, mend }) => `${reason}: ${mend}`);
  }

  /** An iface over which this portal could not be reached a while ago, and the fallback could, is not waited for again. */
  async #requireWorthATry(ifaces: readonly Iface[], { paths: [{ portal }] }: IscsiConnection): Promise<void> {
    const failures = await Promise.all(ifaces.map((iface) => this.#failed.recall(iface.name, portal)));
    const recalled = failures.filter((failure) => failure !== undefined);
    if (recalled.length === ifaces.length) throw noneOf(ifaces, recalled);
  }

  /** What hardware tells is asked anew each time; what was recalled is not news. */
  async #remember({ requested }: IfacePlan, { paths: [{ portal }] }: IscsiConnection, error: VolumeError): Promise<void> {
    if (error.details['retryInMs'] !== undefined || error.details['reasonCode'] !== undefined) return;
    for (const { iface } of requested) await this.#failed.remember(iface.name, portal, error);
  }

  /** The hardware decides over every iface but the default one. */
  async #hardwareFor(ifaces: readonly Iface[]): Promise<Hardware> {
    return ifaces.some(({ name }) => name !== DEFAULT_IFACE) ? await this.#parts.hardware() : UNSEEN;
  }
}

function isSamePath(one: TargetPath, other: TargetPath): boolean {
  return one.target === other.target && one.lun === other.lun && samePortal(one.portal, other.portal);
}

function noneOf(ifaces: readonly Iface[], failures: readonly VolumeError[]): VolumeError {
  const [first, ...others] = failures;
  if (first !== undefined && others.length === 0) return first;
  return new VolumeError('TRANSPORT_UNAVAILABLE', `Cannot use any of the ifaces ${ifaces.map(({ name }) => name).join(', ')}`, { cause: new AggregateError(failures), details: { reasonCode: 'NO_IFACE' } });
}

/** The hardware's own word where it was the hardware that refused. */
function reasonCodeOf({ code, details }: VolumeError): string {
  return typeof details['reasonCode'] === 'string' ? details['reasonCode'] : code;
}
