import { statSync } from 'node:fs';

/**
 * Jest runs a test in a realm of its own, where an error of Node's own modules is no instance of the test's `Error`.
 * From here on it is, as it is outside of Jest.
 */
export function knowCoreErrors(): void {
  const CoreError = coreError();
  const isInstance = Function.prototype[Symbol.hasInstance];
  Object.defineProperty(Error, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      return isInstance.call(this as () => void, value) || (this === Error && isInstance.call(CoreError, value));
    },
  });
}

/** The `Error` of Node's own modules. */
function coreError(): () => void {
  try {
    statSync('/no/such/file');
  } catch (error) {
    return (error as { readonly constructor: () => void }).constructor;
  }
  throw new RangeError('/no/such/file is there');
}
