/** Time from outside. */
export interface Clock {
  /**
   * Milliseconds since this host's boot: never goes back, whoever sets the calendar, and is the same in all processes,
   * so that one may keep it for another.
   */
  now(): number;
  /** @throws {VolumeError} `ABORTED` when the signal aborts first */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}
