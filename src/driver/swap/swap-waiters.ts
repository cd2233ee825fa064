/** One call that waits for a copy. */
export interface SwapWaiter {
  /**
   * The call waits no longer; a second time it changes nothing.
   * @returns whether it was the last one, and whether any of them had connected the new volume: the last one undoes all
   */
  leave(): { readonly isLast: boolean; readonly opened: boolean };
}

interface Crowd {
  readonly waiting: Set<SwapWaiter>;
  opened: boolean;
}

/**
 * The calls of this process that wait for the same copy, such as a second try of a caller that gave up on the first: a
 * copy that one of them is aborted in goes on for the others. Joined and left under the locks of the volumes' targets.
 * Another process is not seen: what it ends has ended.
 */
export class SwapWaiters {
  readonly #crowds = new Map<string, Crowd>();

  /** @param opened whether this call connected the new volume */
  join(copy: string, opened: boolean): SwapWaiter {
    const crowd = this.#crowds.get(copy) ?? { waiting: new Set(), opened: false };
    this.#crowds.set(copy, crowd);
    crowd.opened ||= opened;
    const waiter: SwapWaiter = {
      leave: () => {
        crowd.waiting.delete(waiter);
        const isLast = crowd.waiting.size === 0;
        if (isLast && this.#crowds.get(copy) === crowd) this.#crowds.delete(copy);
        return { isLast, opened: crowd.opened };
      },
    };
    crowd.waiting.add(waiter);
    return waiter;
  }
}
