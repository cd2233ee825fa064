/** May give a promise, which is waited for. */
type Step = () => unknown;

/** What is to be undone of what was done so far, the last first. Every step is tried, whatever the others come to. */
export class Undo implements AsyncDisposable {
  readonly #steps: Step[] = [];

  add(step: Step): void {
    this.#steps.unshift(step);
  }

  /** @throws {AggregateError} with what each step that failed said */
  async [Symbol.asyncDispose](): Promise<void> {
    const errors: unknown[] = [];
    for (const step of this.#steps.splice(0)) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, `Cannot put back all: ${errors.map(String).join('; ')}`);
  }
}

/**
 * Sets something up in several steps, all or nothing: a step that fails has those before it undone.
 * @throws {Error} what the step that failed threw; where undoing failed too, an AggregateError of both
 */
export async function setUp<Made>(body: (undo: Undo) => Promise<Made>): Promise<Made> {
  const undo = new Undo();
  try {
    return await body(undo);
  } catch (error) {
    await undo[Symbol.asyncDispose]().catch((left: unknown) => {
      throw new AggregateError([error, left], `${String(error)}; and then: ${String(left)}`);
    });
    throw error;
  }
}
