/** Time from outside. */
export interface Clock {
  /** Milliseconds from some fixed moment; never goes back. */
  now(): number;
  /** @throws {VolumeError} `ABORTED` when the signal aborts first */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}
