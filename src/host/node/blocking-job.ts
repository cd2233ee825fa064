/** Work that may block a thread for minutes, done in a worker thread of its own. */
export type BlockingJob =
  | { readonly kind: 'write'; readonly path: string; readonly text: string }
  | { readonly kind: 'sync'; readonly path: string }
  | { readonly kind: 'users'; readonly path: string; readonly numbers: readonly string[] };

export type BlockingAnswer =
  | { readonly kind: 'done'; readonly users: readonly { readonly pid: number; readonly name: string }[] }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };
