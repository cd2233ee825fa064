import { errorChain } from '../base/error-chain.js';
import type { Logger } from '../base/logger.js';
import type { VolumeEvent } from './volume-event.js';
import type { VolumeEventListener, VolumeEvents } from './volume-events.js';

/** Tells the listeners of this process. */
export class EventHub implements VolumeEvents {
  readonly #logger: Logger;
  /** One object for each subscription, so that a listener that subscribed twice is told twice. */
  readonly #subscriptions = new Set<{ readonly listener: VolumeEventListener }>();

  constructor({ logger }: { readonly logger: Logger }) {
    this.#logger = logger;
  }

  emit(event: VolumeEvent): void {
    const told = Object.freeze({ ...event }); // what one listener does to it must not reach the next
    for (const { listener } of [...this.#subscriptions]) void this.#tell(listener, told);
  }

  subscribe(listener: VolumeEventListener): () => void {
    const subscription = { listener };
    this.#subscriptions.add(subscription);
    return () => {
      this.#subscriptions.delete(subscription);
    };
  }

  /** The listener runs at once; only what it promises is waited for, so that its rejection ends here. */
  async #tell(listener: VolumeEventListener, event: VolumeEvent): Promise<void> {
    try {
      await listener(event);
    } catch (error) {
      this.#logger.warn('A listener to volume events failed', { event: event.kind, reason: errorChain(error) });
    }
  }
}
