import type { Logger } from '../../base/logger.js';
import type { IfaceRecords } from '../../iface/iface-records.js';
import type { IfacePlan } from '../../preflight/iface-plan.js';
import type { PathCandidate } from '../../preflight/plan-logins.js';
import { UNDO_MS, UndoLog } from '../undo-log.js';

export interface IfaceRecordParts {
  readonly ifaceRecords: IfaceRecords;
  readonly logger: Logger;
}

/**
 * An iface without a record gets one for the volume, and for those after it; not when the volume cannot be opened over
 * it.
 */
export async function withIfaceRecords<Result>(
  { plan, ways }: { readonly plan: IfacePlan; readonly ways: readonly PathCandidate[] },
  { ifaceRecords, logger }: IfaceRecordParts,
  signal: AbortSignal,
  open: () => Promise<Result>,
): Promise<Result> {
  const undo = new UndoLog();
  try {
    for (const { iface, isNew } of plan.requested) {
      if (!isNew || !ways.some((way) => way.iface === iface)) continue;
      const change = await ifaceRecords.put(iface, signal);
      if (change.kind !== 'created') continue;
      logger.info('Made an iface record', { iface: change.name, transport: iface.transport });
      undo.add(async () => {
        await ifaceRecords.remove(change.name, AbortSignal.timeout(UNDO_MS));
      });
    }
    return await open();
  } catch (error) {
    throw await undo.after(error);
  }
}
