import type { VolumeEvents } from '../../src/events/volume-events.js';

/**
 * A line for each volume that comes over another transport than the operator chose: what to mend, before somebody asks
 * why it is slow.
 */
export function logFallbacks(events: VolumeEvents, log: (line: string) => void): () => void {
  return events.subscribe((event) => {
    if (event.kind !== 'transport-fallback') return;
    log(
      `A volume of ${event.target} comes over ${event.used} and not over ${event.requested}: ${event.code}, ` +
        event.reason,
    );
  });
}
