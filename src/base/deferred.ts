/** A promise that others settle. (`Promise.withResolvers` came with Node.js 22.) */
export interface Deferred<Result> {
  readonly promise: Promise<Result>;
  readonly resolve: (result: Result) => void;
}

export function deferred<Result>(): Deferred<Result> {
  let settle: ((result: Result) => void) | undefined;
  const promise = new Promise<Result>((resolve) => {
    settle = resolve;
  });
  return { promise, resolve: (result) => settle?.(result) };
}
