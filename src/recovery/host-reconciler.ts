import { type CallOptions, signalOf } from '../base/call-options.js';
import { errorChain } from '../base/error-chain.js';
import type { Logger } from '../base/logger.js';
import { isVolumeError } from '../base/volume-error.js';
import { readConnectionInfo } from '../connection/read-connection-info.js';
import { formatPortal } from '../connection/portal.js';
import { parseTargetName } from '../connection/target-name.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import { isAmong } from '../device/disk-place.js';
import { parseMapId } from '../device/multipath/multipathd.js';
import type { VolumeSecrets } from '../guest/volume-secrets.js';
import type { Locks } from '../host/locks.js';
import { type LentRecord, targetOfLent } from '../initiator/records/lent-record.js';
import type { OwnDiscovery } from '../initiator/discovery/discovery-database.js';
import type { HostVolumes } from '../volume/host-volumes.js';
import { connectionOf } from '../volume/volume-units.js';
import type {
  HostRecovery,
  HostStatus,
  ReconcileOptions,
  RecoveredItem,
  RecoveryItem,
  VolumeStatus,
} from './host-recovery.js';
import { readGuests, readNoted, readRecords, readRemains, type RemainsParts, readVolume } from './read-remains.js';
import {
  type FoundMapId,
  type FoundRecord,
  type FoundVolume,
  type Kept,
  notedTargets,
  planDiscovery,
  planLent,
  planMapId,
  planRecord,
  planVolume,
} from './remains.js';

export interface ReconcilerParts extends RemainsParts {
  readonly volumes: HostVolumes;
  readonly secrets: VolumeSecrets;
  readonly database: OpenIscsiDatabase;
  readonly locks: Locks;
  readonly logger: Logger;
}

/** What was done about a thing, judged again under its lock. */
type Verdict = Pick<RecoveryItem, 'action' | 'reason'>;

const MEANWHILE: Verdict = { action: 'keep', reason: 'somebody has taken care of it meanwhile' };

/** Observes all that has a note or a mark of this library, plans, and executes each step under its target's lock. */
export class HostReconciler implements HostRecovery {
  readonly #parts: ReconcilerParts;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  async status(options: CallOptions = {}): Promise<HostStatus> {
    const remains = await readRemains(this.#parts, signalOf(options));
    const kept = { units: remains.volumes.filter(isHere).flatMap(({ units }) => units), volumeIds: new Set<string>() };
    const items = [
      ...remains.volumes.map((volume) => planVolume(volume, kept)),
      ...remains.records.map(planRecord),
      ...remains.lent.map(planLent),
      ...remains.discoveries.map(planDiscovery),
      ...remains.mapIds.map(planMapId),
    ];
    return {
      volumes: remains.volumes.map(statusOf),
      leftovers: items.filter(({ kind, action }) => kind !== 'volume' || action !== 'keep'),
    };
  }

  async reconcile({ keep = [], dryRun = false, ...options }: ReconcileOptions = {}): Promise<readonly RecoveredItem[]> {
    const signal = signalOf(options);
    const kept = keptOf(keep);
    const { volumes, records, lent, discoveries, mapIds } = await readRemains(this.#parts, signal);
    const done: RecoveredItem[] = [];
    const judge = async (item: RecoveryItem, execute: () => Promise<Verdict>): Promise<void> => {
      done.push(await this.#carryOut(item, dryRun, execute));
    };
    for (const record of lent) await judge(planLent(record), async () => await this.#giveBack(record, signal));
    for (const one of discoveries) await judge(planDiscovery(one), async () => await this.#dropDiscovery(one, signal));
    for (const volume of volumes)
      await judge(planVolume(volume, kept), async () => await this.#release(volume, kept, signal));
    for (const record of records) await judge(planRecord(record), async () => await this.#endIdle(record, signal));
    for (const one of mapIds) await judge(planMapId(one), async () => await this.#forgetMap(one, signal));
    if (!dryRun) await this.#tidy(signal);
    return done;
  }

  /** Files that killed processes have begun to write: they say nothing. */
  async #tidy(signal: AbortSignal): Promise<void> {
    const { database, locks, notes } = this.#parts;
    for (const target of await notes.unfinishedTargets())
      await locks.hold([target], signal, async () => {
        await notes.dropUnfinished(target);
      });
    await database.tidy();
  }

  async #carryOut(item: RecoveryItem, dryRun: boolean, execute: () => Promise<Verdict>): Promise<RecoveredItem> {
    if (item.action === 'keep') return { ...item, outcome: 'kept', error: undefined };
    if (dryRun) return { ...item, outcome: 'planned', error: undefined };
    try {
      const verdict = await execute();
      const outcome = verdict.action === 'keep' ? 'kept' : 'done';
      if (outcome === 'done') this.#parts.logger.warn('Removed what a killed process has left', { ...item });
      return { ...item, ...verdict, outcome, error: undefined };
    } catch (error) {
      if (!isVolumeError(error) || error.code === 'ABORTED') throw error;
      return { ...item, outcome: 'failed', error: errorChain(error) };
    }
  }

  async #release(
    { volumeId, units, wwid, isArriving }: FoundVolume,
    kept: Kept,
    signal: AbortSignal,
  ): Promise<Verdict> {
    const connection = connectionOf({ volumeId, units });
    if (connection === undefined) return MEANWHILE;
    const { initiator, notes, secrets, volumes } = this.#parts;
    return await volumes.hold([connection], signal, async (held, signal) => {
      const targets = units.map(({ target }) => target);
      if (isArriving && !(await initiator.whenNoneIsPending(targets, signal)))
        return { action: 'keep', reason: 'an iscsiadm that the connect has begun goes on' };
      const noted = (await readNoted(this.#parts)).find((one) => one.units.some((unit) => isAmong(units, unit)));
      if (noted === undefined) return MEANWHILE;
      const now = await readVolume(noted, await readGuests(this.#parts, signal), this.#parts, signal);
      const { action, reason } = planVolume(now, kept);
      if (action === 'keep' || now.wwid !== wwid) return action === 'keep' ? { action, reason } : MEANWHILE;
      if (volumeId !== undefined) await secrets.withdraw(volumeId, signal);
      await held.release(connection, wwid === undefined ? {} : { wwid }, signal);
      await notes.dropArrival(units);
      return { action, reason };
    });
  }

  async #endIdle({ key: { target } }: FoundRecord, signal: AbortSignal): Promise<Verdict> {
    const { initiator, locks } = this.#parts;
    return await locks.hold([target], signal, async (signal) => {
      const noted = notedTargets(await readNoted(this.#parts));
      if (noted.has(target)) return MEANWHILE;
      const plans = (await readRecords(target, this.#parts)).map((record) => ({ record, plan: planRecord(record) }));
      for (const { record, plan } of plans) {
        if (plan.action === 'keep') continue;
        if (record.session === undefined) await initiator.forget(record.key, signal);
        else await initiator.logout(record.session, signal);
      }
      return plans[0]?.plan ?? MEANWHILE;
    });
  }

  async #giveBack(record: LentRecord, signal: AbortSignal): Promise<Verdict> {
    const { initiator, locks } = this.#parts;
    const target = targetIn(targetOfLent(record));
    return await locks.hold(target === undefined ? [] : [target], signal, async (signal) => {
      if (!(await initiator.lentRecords()).some(({ path }) => path === record.path)) return MEANWHILE;
      await initiator.giveBack(record, signal);
      return planLent(record);
    });
  }

  async #dropDiscovery(own: OwnDiscovery, signal: AbortSignal): Promise<Verdict> {
    const { discoveries, locks } = this.#parts;
    const target = targetIn(own.target);
    if (target === undefined) return { action: 'keep', reason: 'the target that it names is none' };
    return await locks.hold([target], signal, async () => {
      if (!(await discoveries.all()).some(({ folder }) => folder === own.folder)) return MEANWHILE;
      await discoveries.remove(own);
      return planDiscovery(own);
    });
  }

  async #forgetMap({ id, map }: FoundMapId, signal: AbortSignal): Promise<Verdict> {
    const { maps, notes } = this.#parts;
    // a connect notes the id before it enters it
    const isNoted = (await notes.all()).some(({ mapId, wwid }) => mapId === id || parseMapId(wwid) === id);
    if (isNoted) return MEANWHILE;
    const [now] = await maps.ofIds([id]);
    const found = { id, map: now, users: now === undefined ? [] : await maps.usersOf(now, signal) };
    const plan = planMapId(found);
    if (plan.action === 'keep') return plan;
    if (now !== undefined && map !== undefined) {
      await maps.stopQueueing(now, signal);
      await maps.remove(now, signal);
    }
    await maps.forgetIds([id], signal);
    return plan;
  }
}

function isHere({ isArriving, view }: FoundVolume): boolean {
  return !isArriving && (view?.map !== undefined || view?.paths.some(({ unit }) => unit !== undefined) === true);
}

function keptOf(keep: readonly unknown[]): Kept {
  const connections = keep.map((info) => readConnectionInfo(info));
  return {
    units: connections.flatMap(({ paths }) => paths.map(({ target, lun }) => ({ target, lun }))),
    volumeIds: new Set(connections.flatMap(({ volumeId }) => volumeId ?? [])),
  };
}

function targetIn(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : parseTargetName(text);
  } catch {
    return undefined;
  }
}

function statusOf(volume: FoundVolume): VolumeStatus {
  const { volumeId, wwid, isArriving, view, users, guests } = volume;
  return {
    volumeId,
    wwid,
    state: isArriving ? 'arriving' : isHere(volume) ? 'connected' : 'gone',
    paths: (view?.paths ?? []).map(({ key: { target, portal, iface }, lun, session, unit }) => ({
      target,
      lun,
      portal: formatPortal(portal),
      iface,
      session:
        session === undefined ? undefined : { id: session.id, state: session.state, transport: session.transport },
      disk: unit?.path,
    })),
    map: view?.map === undefined ? undefined : { name: view.map.name, path: view.map.path },
    users,
    guests,
  };
}
