import type { CallOptions } from '../base/call-options.js';

/** How a volume is taken away. */
export interface DisconnectOptions extends CallOptions {
  /** Goes on past each failure and reports all of them in the end. Data that was not written out may be lost. */
  readonly force?: boolean;
  /**
   * The volume that must be there, as connect() said (`device.wwid`). When anything of the connection is another one,
   * nothing is touched, in the guest neither: `DEVICE_MISMATCH`, by force too. It makes a connection_info of another
   * host harmless, and one whose LUN the storage has given to another volume since.
   */
  readonly wwid?: string;
}

/** What detach() or disconnect() found and did. */
export interface ReleasedVolume {
  /**
   * False when there was nothing to take away: it was not in the guest, and not on this host or there for other guests.
   */
  readonly found: boolean;
  readonly warnings: readonly string[];
}

/** Which addresses the names of portals had is a part of the result. */
export function withWarnings<Result extends { readonly warnings: readonly string[] }>(
  result: Result,
  notes: readonly string[],
): Result {
  return notes.length === 0 ? result : { ...result, warnings: [...notes, ...result.warnings] };
}
