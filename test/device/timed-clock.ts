import { FakeClock } from '../fakes/fake-clock.js';

/** A FakeClock at whose moments things happen. */
export class TimedClock extends FakeClock {
  readonly #plans: { readonly at: number; readonly deed: () => void }[] = [];

  /** Does the deed once that moment has come. */
  at(moment: number, deed: () => void): void {
    this.#plans.push({ at: moment, deed });
  }

  override async sleep(ms: number, signal: AbortSignal): Promise<void> {
    await super.sleep(ms, signal);
    for (const plan of this.#plans.filter(({ at }) => at <= this.now())) {
      this.#plans.splice(this.#plans.indexOf(plan), 1);
      plan.deed();
    }
  }
}
