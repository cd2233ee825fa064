import type { Finding } from './finding.js';

/** Checks this host without changing anything of it. */
export interface Doctor {
  /**
   * @param configOrigin where the options came from, as the first finding says it
   * @returns every finding: errors, then warnings, then what is well; no error means that an attach would work, as far
   * as a host can tell by itself
   * @throws {VolumeError} `ABORTED`
   */
  examine(configOrigin: string, signal: AbortSignal): Promise<readonly Finding[]>;
}
