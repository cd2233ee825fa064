import { isNonEmpty, type NonEmpty } from '../../base/brand.js';
import type { Logger } from '../../base/logger.js';
import { VolumeError } from '../../base/volume-error.js';
import type { VolumeOptions } from '../../config/options.js';
import type { IscsiConnection } from '../../connection/iscsi-connection.js';
import { isSamePath, withoutRepeats } from '../../connection/target-path.js';
import { parseMapId } from '../../device/multipath/multipathd.js';
import type { VolumeEvents } from '../../events/volume-events.js';
import type { Iface } from '../../iface/iface.js';
import type { IfaceRecords } from '../../iface/iface-records.js';
import { ifaceNamesOf, type IfacePlan, requireIfaces } from '../../preflight/iface-plan.js';
import { noneOf, planLogins, type PathCandidate } from '../../preflight/plan-logins.js';
import type { ConnectedVolume } from '../connected-volume.js';
import { describeVolume, fallbackOfPresent, type ConnectResult } from '../describe-volume.js';
import { announced } from './announced.js';
import { missingWarnings, MultipathOpener } from './multipath-opener.js';
import { NoteKeeper } from './note-keeper.js';
import { type ObserverParts, observeVolume, type VolumeView } from '../observe-volume.js';
import { OnePathOpener } from './one-path-opener.js';
import { type KnownPaths, PathFinder, type PathFinderParts } from './path-finder.js';
import { type OpenerParts, type VolumePath, PathOpener } from './path-opener.js';
import { isAbsent, type Presence, presentPaths, refreshedPaths, tellSilent, whenOneIsBack } from './present-paths.js';
import { requireSizeOf, sizeWarnings } from '../require-size.js';
import { requireOwnMap, strangersWarnings } from '../strange-members.js';
import { type FallbackParts, TransportFallback } from './transport-fallback.js';
import { UndoLog } from '../undo-log.js';
import { VolumeGuard } from './volume-guard.js';
import { withIfaceRecords } from './with-iface-records.js';
import { wantedMap } from '../wanted-map.js';

export interface ConnectorParts extends OpenerParts, ObserverParts, PathFinderParts, FallbackParts {
  readonly logger: Logger;
  readonly events: VolumeEvents;
  readonly ifaceRecords: IfaceRecords;
  /**
   * Has join() called, under the locks, once logins have ended that nobody waited for.
   * @param connection with every path that was tried, also those that were discovered
   * @param ended rejects for paths that will not join
   */
  readonly joinLater: (connection: IscsiConnection, ended: (signal: AbortSignal) => Promise<void>) => void;
  readonly options: Pick<VolumeOptions, 'useMultipath' | 'enforceMultipath' | 'stateDirectory'>;
}

/** The volume, and whether this call is what brought it to the host. */
export interface OpenedVolume {
  readonly volume: ConnectedVolume;
  readonly opened: boolean;
}

/** One path, or all of them under a map. */
type Mode = { readonly kind: 'single'; readonly warnings: readonly string[] } | { readonly kind: 'multipath' };

/** What goes with the opening of one volume. */
interface OpenRequest {
  readonly connection: IscsiConnection;
  readonly plan: IfacePlan;
  readonly mode: Mode;
  /** The paths that are open already, and those that are there and could not be asked. */
  readonly presence: Presence;
  readonly guard: VolumeGuard;
  readonly note: NoteKeeper;
}

/**
 * The road from a connection to a block device. Everything here but find() runs under the locks of the connection's
 * targets.
 */
export class VolumeConnector {
  readonly #parts: ConnectorParts;
  readonly #fallback: TransportFallback;
  readonly #finder: PathFinder;
  readonly #single: OnePathOpener;
  readonly #multipath: MultipathOpener;

  constructor(parts: ConnectorParts) {
    this.#parts = parts;
    this.#fallback = new TransportFallback(parts);
    const opener = new PathOpener(parts);
    this.#finder = new PathFinder(parts);
    this.#single = new OnePathOpener({ ...parts, opener });
    this.#multipath = new MultipathOpener({ ...parts, opener });
  }

  /** The volume as it is on this host now, whatever iface it came over. */
  async find(connection: IscsiConnection, plan: IfacePlan): Promise<ConnectedVolume | undefined> {
    const view = await this.#observe(connection, plan);
    const paths = presentPaths(view);
    return isNonEmpty(paths)
      ? describeVolume(this.#asOpen(paths, view), plan, fallbackOfPresent(paths, plan))
      : undefined;
  }

  /**
   * Gives the volume that is there, asked anew who it is, with the paths that it lacks; else opens it over the
   * requested ifaces, or over the fallback when their transport itself cannot work, and says so. All paths run over the
   * one or over the other. What failed is undone.
   */
  async open(connection: IscsiConnection, plan: IfacePlan, signal: AbortSignal): Promise<OpenedVolume> {
    requireIfaces(plan);
    const mode = await this.#mode(connection);
    const view = await this.#observe(connection, plan);
    requireOwnMap('connect', view);
    const presence = await this.#presence(view, mode, plan, signal);
    const { present } = presence;
    const there = [...present, ...presence.away, ...presence.stuck];
    const guard = new VolumeGuard(view, this.#parts);
    if (isGone(view)) await this.#dropNote(view, signal);
    const request = {
      connection: there.length === 0 ? connection : withDiscovered(connection, view),
      plan,
      mode,
      presence,
      guard,
      note: new NoteKeeper(this.#parts.notes, connection, isGone(view) ? undefined : view.note),
    };
    const open = async (ifaces: readonly Iface[]): Promise<ConnectResult> =>
      await this.#openOver(ifaces, request, signal);
    if (!isNonEmpty(there))
      return {
        volume: await announced(
          request.note,
          this.#parts.logger,
          async () => await this.#fallback.open(plan, connection, open),
        ),
        opened: true,
      };
    const result =
      mode.kind === 'single' && isNonEmpty(present)
        ? await this.#keepPresent(present, view, request)
        : await open(ifacesInUse(plan, there));
    return { volume: describeVolume(result, plan, fallbackOfPresent(there, plan)), opened: false };
  }

  /**
   * A path that could not be asked who it is counts for nothing. Where there is no other, one is waited for; under a
   * map, further portals may prove the volume meanwhile.
   */
  async #presence(view: VolumeView, mode: Mode, plan: IfacePlan, signal: AbortSignal): Promise<Presence> {
    const presence = await refreshedPaths(view, this.#parts, signal);
    const { present, away, stuck } = presence;
    if (present.length > 0) return presence;
    if (isNonEmpty(away)) {
      if (mode.kind === 'multipath' && ifacesInUse(plan, away).length > 0) return presence;
      const later = await refreshedPaths(await whenOneIsBack(view, away, this.#parts, signal), this.#parts, signal);
      const [silent] = [...later.away, ...later.stuck];
      if (later.present.length === 0 && silent !== undefined) throw silent.error;
      return later;
    }
    const [silent] = stuck;
    if (silent !== undefined) throw silent.error;
    return presence;
  }

  /**
   * What was noted of a volume of which nothing is here any more, as after a reboot, says nothing of the one that
   * comes.
   */
  async #dropNote({ note, lostIds }: VolumeView, signal: AbortSignal): Promise<void> {
    if (note === undefined) return;
    const ids = [note.mapId, parseMapId(note.wwid)].filter((id) => id !== undefined);
    await this.#parts.maps.forgetIds(
      ids.filter((id) => !lostIds.includes(id)),
      signal,
    );
    await this.#parts.notes.drop(note.units);
  }

  /** The volume as it is here: nothing is added. */
  async #keepPresent(
    present: NonEmpty<VolumePath>,
    view: VolumeView,
    { note, presence: { away, stuck } }: OpenRequest,
  ): Promise<ConnectResult> {
    const open = this.#asOpen(present, view);
    const silent = missingWarnings([...away, ...stuck].map(tellSilent), present.length);
    if (open.map !== undefined)
      requireSizeOf(
        open.map,
        present.map(({ disk }) => disk),
      );
    return {
      ...open,
      warnings: [
        ...open.warnings,
        ...silent,
        ...(await this.#single.keepNote(note, present[0], view.map, new UndoLog())),
      ],
    };
  }

  /** After a login that nobody waited for has ended: its path joins the volume, or goes where the volume is gone. */
  async join(connection: IscsiConnection, plan: IfacePlan, signal: AbortSignal): Promise<void> {
    if (presentPaths(await this.#observe(connection, plan)).length > 0) {
      try {
        await this.open(connection, plan, signal);
      } catch (error) {
        await this.#endIdleSessions(connection, plan, signal);
        throw error;
      }
      return;
    }
    await this.#endIdleSessions(connection, plan, signal);
  }

  async #endIdleSessions(connection: IscsiConnection, plan: IfacePlan, signal: AbortSignal): Promise<void> {
    for (const { key, session, unit, otherUnits, logoutPolicy } of (await this.#observe(connection, plan)).paths) {
      if (session === undefined) await this.#parts.initiator.forget(key, signal);
      else if (unit === undefined && otherUnits === 0 && logoutPolicy === 'always')
        await this.#parts.initiator.logout(session, signal);
    }
  }

  async #observe(connection: IscsiConnection, plan: IfacePlan): Promise<VolumeView> {
    return await observeVolume(connection, ifaceNamesOf(plan), this.#parts);
  }

  #asOpen(paths: NonEmpty<VolumePath>, view: VolumeView): ConnectResult {
    const map = wantedMap(view, paths.length, this.#parts.options);
    return {
      paths: map === undefined ? [paths[0]] : paths,
      map,
      warnings:
        map === undefined
          ? []
          : [
              ...strangersWarnings(map, view.strangers),
              ...sizeWarnings(
                map,
                paths.map(({ disk }) => disk),
              ),
            ],
    };
  }

  async #mode({ enforceMultipath }: IscsiConnection): Promise<Mode> {
    if (!this.#parts.options.useMultipath) return { kind: 'single', warnings: [] };
    if (await this.#parts.maps.isRunning()) return { kind: 'multipath' };
    if (this.#enforces({ enforceMultipath })) {
      throw new VolumeError(
        'MULTIPATH_UNAVAILABLE',
        'Cannot connect the volume over several paths: multipathd does not run',
        { hint: 'systemctl start multipathd' },
      );
    }
    this.#parts.logger.warn('The volume is connected over one path, as multipathd does not run');
    return {
      kind: 'single',
      warnings: ['the volume has one path only: multipathd does not run (systemctl start multipathd)'],
    };
  }

  #enforces({ enforceMultipath }: Pick<IscsiConnection, 'enforceMultipath'>): boolean {
    return this.#parts.options.enforceMultipath || enforceMultipath;
  }

  /**
   * The one road, for a volume that is new and for one that lacks paths: the ways over those of the ifaces that can
   * work, but for those that are open. The other ifaces are told of; where none can work, there is nothing to open. The
   * fallback is worth a try at any time.
   */
  async #openOver(ifaces: readonly Iface[], request: OpenRequest, signal: AbortSignal): Promise<ConnectResult> {
    const { connection, plan, presence } = request;
    const { present, away, stuck } = presence;
    const isNew = isAbsent(presence);
    const hardware = await this.#finder.hardwareFor(ifaces);
    const known = planLogins(ifaces, connection.paths, hardware);
    if (isNew) {
      if (known.ways.length === 0) throw noneOf(ifaces, known.refusals);
      if (plan.fallback !== undefined && !ifaces.includes(plan.fallback))
        await this.#fallback.requireWorthATry(ifaces, connection);
    }
    const { paths, warnings: undiscovered } = await this.#allPaths(request, known.ways, signal);
    const { ways, refusals } = paths.length === connection.paths.length ? known : planLogins(ifaces, paths, hardware);
    const missing = ways.filter((way) => ![...present, ...stuck].some((path) => isOver(way, path)));
    const silent = [...stuck, ...away.filter((path) => !ways.some((way) => isOver(way, path)))].map(tellSilent);
    if (present.length === 0 && missing.length === 0) throw noneOf(ifaces, refusals);
    const warnings = [
      ...plan.requested.flatMap(({ iface, note }) => (ifaces.includes(iface) ? (note ?? []) : [])),
      ...undiscovered,
      ...refusals.map(({ message }) => message),
      ...(await this.#finder.reversePathWarnings(ifaces, hardware)),
    ];
    for (const reason of warnings) this.#parts.logger.warn('Not every iface can be used as it is', { reason });
    const opened = await withIfaceRecords(
      { plan, ways: missing },
      this.#parts,
      signal,
      async () => await this.#openWays(missing, silent, { ...request, connection: { ...connection, paths } }, signal),
    );
    return { ...opened, warnings: [...warnings, ...opened.warnings] };
  }

  /** A volume that is there was discovered when it came. */
  async #allPaths(
    { connection, mode, presence }: OpenRequest,
    [first]: readonly PathCandidate[],
    signal: AbortSignal,
  ): Promise<KnownPaths> {
    if (mode.kind === 'single' || !isAbsent(presence) || first === undefined)
      return { paths: connection.paths, warnings: [] };
    return await this.#finder.allPaths(connection, first.iface, signal);
  }

  async #openWays(
    ways: readonly PathCandidate[],
    silent: readonly string[],
    { connection, mode, presence: { present }, guard, note }: OpenRequest,
    signal: AbortSignal,
  ): Promise<ConnectResult> {
    const { chap } = connection;
    if (mode.kind === 'single') {
      if (!isNonEmpty(ways)) throw new RangeError('No way to open');
      const opened = await this.#single.open(ways, { chap, guard, note }, signal);
      return { ...opened, warnings: [...mode.warnings, ...opened.warnings] };
    }
    const onLeft = (ended: (signal: AbortSignal) => Promise<void>): void => {
      this.#parts.joinLater(connection, ended);
    };
    const enforce = this.#enforces(connection);
    return await this.#multipath.open(ways, { chap, present, silent, enforce, guard, note, onLeft }, signal);
  }
}

/**
 * Where one portal stands for all: with those that were discovered before, which have records of ours. A list of the
 * storage service is followed as it is.
 */
function withDiscovered(connection: IscsiConnection, view: VolumeView): IscsiConnection {
  if (!connection.namesOnePortal) return connection;
  const [first, ...others] = connection.paths;
  const recorded = view.paths.map(({ key: { target, portal }, lun }) => ({ target, portal, lun }));
  const [, ...rest] = withoutRepeats([first, ...others, ...recorded]);
  return { ...connection, paths: [first, ...rest] };
}

function isGone({ paths, map }: VolumeView): boolean {
  return map === undefined && paths.every(({ unit }) => unit === undefined);
}

function isOver({ path, iface }: PathCandidate, { path: open, session }: VolumePath): boolean {
  return session.iface === iface.name && isSamePath(open, path);
}

/** Those that a volume runs over, where it lacks paths: the fallback alone where it fell back. */
function ifacesInUse({ requested, fallback }: IfacePlan, present: readonly VolumePath[]): readonly Iface[] {
  const runsOver = (iface: Iface): boolean => present.some(({ session }) => session.iface === iface.name);
  const ifaces = requested.map(({ iface }) => iface);
  if (ifaces.some(runsOver)) return ifaces;
  return fallback !== undefined && runsOver(fallback) ? [fallback] : [];
}
