/** Mutual exclusion between every process on this host that reaches open-iscsi through this library. */
export interface Locks {
  /**
   * Takes all keys, in sorted order so that two holders never wait for each other, runs the body, gives them back.
   * @param keys one for each target; characters of an iSCSI name only
   * @throws {VolumeError} `LOCK_TIMED_OUT` naming the key, `ABORTED`
   */
  hold<Result>(keys: readonly string[], signal: AbortSignal, body: () => Promise<Result>): Promise<Result>;
}
