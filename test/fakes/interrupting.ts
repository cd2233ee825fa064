import { VolumeError } from '../../src/base/volume-error.js';

/** Counts every use of a port, and aborts a signal at a chosen one: a way to stop a call at each of its steps. */
export class Interrupter {
  #uses = 0;
  #abort: { readonly at: number; readonly controller: AbortController } | undefined;

  abortAfter(uses: number): AbortSignal {
    const controller = new AbortController();
    this.#uses = 0;
    this.#abort = { at: uses, controller };
    this.#check();
    return controller.signal;
  }

  /** The same port; each call of one of its methods is a use. */
  watch<Port extends object>(port: Port): Port {
    return new Proxy(port, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== 'function') return member;
        return (...args: readonly unknown[]): unknown => {
          this.#uses += 1;
          this.#check();
          return Reflect.apply(member, target, args) as unknown;
        };
      },
    });
  }

  #check(): void {
    if (this.#abort !== undefined && this.#uses >= this.#abort.at)
      this.#abort.controller.abort(new VolumeError('ABORTED', 'Stopped by the test'));
  }
}
