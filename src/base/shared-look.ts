/**
 * A look at the host that callers share. Each gets the result of one that began after it asked, so that what it did
 * before is seen; all who ask while one is under way share the next.
 */
export class SharedLook<Result> {
  readonly #look: () => Promise<Result>;
  #running: Promise<unknown> | undefined;
  #next: Promise<Result> | undefined;

  constructor(look: () => Promise<Result>) {
    this.#look = look;
  }

  async take(): Promise<Result> {
    if (this.#running === undefined) return await this.#begin();
    this.#next ??= this.#running.then(async () => {
      this.#next = undefined;
      return await this.#begin();
    });
    return await this.#next;
  }

  #begin(): Promise<Result> {
    const look = this.#look();
    const running = look.then(
      () => undefined,
      () => undefined,
    );
    this.#running = running;
    void running.then(() => {
      if (this.#running === running) this.#running = undefined;
    });
    return look;
  }
}
