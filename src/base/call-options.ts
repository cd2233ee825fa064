/** What every call may be told. */
export interface CallOptions {
  /** Ends the call's waits early; what it did by then is undone, or told. */
  readonly signal?: AbortSignal | undefined;
}

/** The signal of a call that was given none. */
export function signalOf({ signal }: CallOptions): AbortSignal {
  return signal ?? new AbortController().signal;
}
