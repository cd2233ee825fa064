/** Mutual exclusion between every process on this host that reaches open-iscsi through this library. */
export interface Locks {
  /**
   * Takes all keys, in sorted order so that two holders never wait for each other, runs the body, gives them back.
   *
   * The body's signal aborts with the caller's, or with `LOCK_LOST` when a key was taken away: another process may have
   * it from then on, so the body begins nothing more. What undoes its steps has a time limit of its own and goes on:
   * a volume that is half connected is worse than one undone without the lock. A body that ended before it could
   * notice keeps its result.
   * @param keys one for each target; characters of an iSCSI name only
   * @throws {VolumeError} `LOCK_TIMED_OUT` naming the key and, where it is known, its holder; `LOCK_LOST`, `ABORTED`
   */
  hold<Result>(
    keys: readonly string[],
    signal: AbortSignal,
    body: (held: AbortSignal) => Promise<Result>,
  ): Promise<Result>;
}
