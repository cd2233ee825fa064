import { errorChain } from '../../base/error-chain.js';
import type { Logger } from '../../base/logger.js';
import { isVolumeError, VolumeError } from '../../base/volume-error.js';
import type { IscsiConnection } from '../../connection/iscsi-connection.js';
import { formatPortal } from '../../connection/portal.js';
import type { VolumeEvents } from '../../events/volume-events.js';
import type { Iface } from '../../iface/iface.js';
import { TransportFailureCache, type TransportFailureCacheParts } from '../../preflight/transport-failure-cache.js';
import { type IfacePlan, requestOf } from '../../preflight/iface-plan.js';
import { isTransportFailure } from '../../preflight/transport-failure.js';
import { noneOf, reasonCodeOf } from '../../preflight/plan-logins.js';
import type { ConnectedVolume } from '../connected-volume.js';
import { describeVolume, type ConnectResult } from '../describe-volume.js';

export interface FallbackParts extends TransportFailureCacheParts {
  readonly logger: Logger;
  readonly events: VolumeEvents;
}

/** The requested ifaces, and the fallback when their transport itself cannot work: never in silence. */
export class TransportFallback {
  readonly #parts: FallbackParts;
  readonly #failed: TransportFailureCache;

  constructor(parts: FallbackParts) {
    this.#parts = parts;
    this.#failed = new TransportFailureCache(parts);
  }

  /** @param open opens the volume over these ifaces; what it did is undone when it rejects */
  async open(
    plan: IfacePlan,
    connection: IscsiConnection,
    open: (ifaces: readonly Iface[]) => Promise<ConnectResult>,
  ): Promise<ConnectedVolume> {
    const { fallback, requested } = plan;
    const { events, logger } = this.#parts;
    try {
      return describeVolume(await open(requested.map(({ iface }) => iface)), plan, undefined);
    } catch (error) {
      if (fallback === undefined || !isTransportFailure(error)) throw error;
      const why = { code: reasonCodeOf(error), reason: errorChain(error) };
      const [request, used] = [requestOf(plan), fallback.name];
      logger.warn('Falling back to another transport', { requested: request, used, ...why });
      const opened = await open([fallback]).catch((second: unknown) => {
        throw both(request, error, second);
      });
      const [{ target, portal }] = connection.paths;
      events.emit({
        kind: 'transport-fallback',
        requested: request,
        used,
        ...why,
        target,
        portal: formatPortal(portal),
      });
      await this.#remember(plan, connection, error);
      return describeVolume(opened, plan, why);
    }
  }

  /**
   * An iface over which this portal could not be reached a while ago, and the fallback could, is not waited for again.
   * @throws {VolumeError} what was met then, where it is so of every one
   */
  async requireWorthATry(ifaces: readonly Iface[], { paths: [{ portal }] }: IscsiConnection): Promise<void> {
    const failures = await Promise.all(ifaces.map((iface) => this.#failed.recall(iface.name, portal)));
    const recalled = failures.filter((failure) => failure !== undefined);
    if (recalled.length === ifaces.length) throw noneOf(ifaces, recalled);
  }

  /** What hardware tells is asked anew each time; what was recalled is not news. */
  async #remember(
    { requested }: IfacePlan,
    { paths: [{ portal }] }: IscsiConnection,
    error: VolumeError,
  ): Promise<void> {
    if (error.details['retryInMs'] !== undefined || error.details['reasonCode'] !== undefined) return;
    for (const { iface } of requested) await this.#failed.remember(iface.name, portal, error);
  }
}

/** The fallback's error, with what the requested ifaces had met before. */
function both(requested: string, first: VolumeError, second: unknown): unknown {
  if (!isVolumeError(second)) return second;
  const { code, hint, details, message } = second;
  return new VolumeError(code, `${message}; before that, the iface ${requested} failed`, {
    cause: new AggregateError([second.cause ?? second, first]),
    details,
    ...(hint === undefined ? {} : { hint }),
  });
}
