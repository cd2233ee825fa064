import type { VolumeEvent } from './volume-event.js';

/** May be async. What it throws or rejects with is logged, and reaches nobody else. */
export type VolumeEventListener = (event: VolumeEvent) => unknown;

/** Where the driver says what happened, and others listen. */
export interface VolumeEvents {
  /** Tells every listener, in the order in which they subscribed, and waits for none. Never throws. */
  emit(event: VolumeEvent): void;
  /** @returns ends this subscription; quiet when it has ended already */
  subscribe(listener: VolumeEventListener): () => void;
}
